"""EBM's back-end: attention over all hidden layers of a speech model.

Kim et al., "Enhancing audio deepfake detection by improving representation similarity of bonafide
speech" (Interspeech 2025).
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape
from amsdf.published_names import PublishedNames, Sizes
from heads._pooling import AttentivePooling
from heads._view_adapters import only_view

#: Of the layer norms, as in the released code.
NORM_EPSILON = 1e-12
#: More hidden layers than any speech model has.
MOST_LAYERS = 100


class LayerSqueeze(nn.Module):
    """One hidden layer of the speech model to narrow frames, and these pooled over time."""

    def __init__(self, in_dim: int, out_dim: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(in_dim, out_dim)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(out_dim, out_dim)
        self.norm = nn.LayerNorm(out_dim, eps=NORM_EPSILON)
        self.pooling = AttentivePooling(out_dim)

    def forward(self, layer: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, N, in_dim), mask (B, N) -> (B, N, out_dim) and pooled (B, 2 out_dim)."""
        frames = self.norm(self.linear2(self.dropout(self.linear1(layer).relu())))
        return frames, self.pooling(frames, mask)


class LayerAttentionHead(Head):
    """Attentive pooling over time and over the hidden layers of a speech model (EBM).

    Args:
        views: One view, a stack of hidden layers (B, L, N, D).
        width: Width of the frames after each layer's own projection.
        embedding_dim: Width of the embedding.
        dropout: Within the projections.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        width: int = 128,
        embedding_dim: int = 160,
        dropout: float = 0.35,
    ) -> None:
        super().__init__()
        self.view, shape = only_view(views, stack=True)
        self.embedding_dim = embedding_dim
        self.squeezes = nn.ModuleList(
            [LayerSqueeze(shape.dim, width, dropout) for _ in range(shape.layers or 1)]
        )
        self.layer_vector = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(1, 2 * width)))
        self.pooling = AttentivePooling(width)
        self.linear = nn.Linear(2 * width, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPSILON)

    def bridge(self, stack: Tensor, mask: Tensor | None = None) -> Tensor:
        """All layers to one weighted sequence: (B, L, N, D), mask (B, N) -> (B, N, width)."""
        # The clip decides how much each layer counts: one kind of spoof shows in layers near the
        # waveform, another in deep ones.
        layers = zip(self.squeezes, stack.unbind(dim=1), strict=True)
        frames, pooled = zip(*(squeeze(layer, mask) for squeeze, layer in layers), strict=True)
        scores = torch.tanh(F.linear(torch.stack(pooled, dim=1), self.layer_vector).squeeze(-1))

        return torch.einsum("bl,blnd->bnd", scores.softmax(dim=1), torch.stack(frames, dim=1))

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The view (B, L, N, D), its mask (B, N) -> (B, E)."""
        mask = masks[self.view] if masks else None
        return self.norm(self.linear(self.pooling(self.bridge(views[self.view], mask), mask)))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Those of EBM."""
        layers = {
            f"bridge_module.{theirs.format(layer)}": f"squeezes.{layer}.{ours}"
            for layer in range(MOST_LAYERS)
            for theirs, ours in {
                "squeeze_module_linears.{}.w_1": "linear1",
                "squeeze_module_linears.{}.w_2": "linear2",
                "squeeze_module_norms.{}": "norm",
                "AHP_ASP.{}.mm_weights": "pooling.vector",
            }.items()
        }
        ends = {
            "bridge_module.AHP_W_att": "layer_vector",
            "AHP_ASP.mm_weights": "pooling.vector",
            "linear": "linear",
            "layer_norm": "norm",
        }
        return PublishedNames({**layers, **ends})

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """Both widths."""
        return {"width": sizes.of("pooling.vector", 1), "embedding_dim": sizes.of("norm.weight")}
