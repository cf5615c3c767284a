"""SSL-AASIST: AASIST's residual encoder and graph back-end over a self-supervised view.

After Tak et al., "Automatic speaker verification spoofing and deepfake detection using wav2vec 2.0
and data augmentation" (Odyssey 2022).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.blocks import ResidualBlock, blank
from amsdf.contracts import Head, ViewShape
from amsdf.published_names import PublishedNames, Sizes
from heads._graph import Graph
from heads._graph_layers import PUBLISHED_WORDS
from heads._view_adapters import only_view
from heads.aasist import SPECTRO_TEMPORAL_NAMES, SpectroTemporalGraph

CHANNELS = (1, 32, 32, 64, 64, 64, 64)
#: Window and stride of the max pooling of the (feature, time) map.
POOL = 3


class SSLAASISTHead(Head):
    """AASIST over hidden states of a speech model (SSL-AASIST).

    Args:
        views: One view (B, N, D).
        width: Features after the first linear layer, the height of the map.
        graph_dim: Width after the attention within each kind of nodes.
        hidden_dim: Width after the attention across kinds; the embedding is five times as wide.
        ratio: Share of the nodes kept by each pooling.
        temperature: Of the attention within each kind.
        pair_temperature: Of the attention across kinds.
        dropout: On the embedding.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        width: int = 128,
        graph_dim: int = 64,
        hidden_dim: int = 32,
        ratio: float = 0.5,
        temperature: float = 2.0,
        pair_temperature: float = 100.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.view, shape = only_view(views, stack=False)
        self.embedding_dim = 5 * hidden_dim
        channels = CHANNELS[-1]
        self.linear = nn.Linear(shape.dim, width)
        self.norm_in = nn.BatchNorm2d(1)
        self.blocks = nn.ModuleList([ResidualBlock(a, b) for a, b in pairwise(CHANNELS)])
        self.norm_out = nn.BatchNorm2d(channels)
        self.attention = nn.Sequential(
            nn.Conv2d(channels, 128, 1), nn.SELU(), nn.BatchNorm2d(128), nn.Conv2d(128, channels, 1)
        )

        self.spectral_position = nn.Parameter(torch.randn(1, width // POOL, channels))
        self.graph = SpectroTemporalGraph(
            channels,
            graph_dim,
            hidden_dim,
            (ratio, ratio, ratio),
            (temperature, pair_temperature),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The view (B, N, D), its mask (B, N) -> (B, 5 hidden_dim)."""
        image, mask = self.pool(views[self.view], masks[self.view] if masks else None)
        image = blank(F.selu(self.norm_in(image)), mask)
        for block in self.blocks:
            image = block(image, mask)
        image = F.selu(self.norm_out(blank(image, mask)))

        # AASIST takes the largest magnitude over the other axis; a weighted sum lets every place of
        # the map learn. A mask concerns time, so only the soft-max over time needs it.
        scores = self.attention(image)
        over_time = scores
        if mask is not None:
            over_time = scores.masked_fill(~mask[:, None, None], -torch.inf)
        spectral = (image * over_time.softmax(dim=-1)).sum(dim=-1).transpose(1, 2)
        temporal = (image * scores.softmax(dim=-2)).sum(dim=-2).transpose(1, 2)

        # Graph attention knows no order: the table tells low bands from high ones.
        embedding = self.graph(Graph(spectral + self.spectral_position), Graph(temporal, mask))
        return self.dropout(embedding)

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Those of SSL_Anti-spoofing."""
        blocks = range(len(CHANNELS) - 1)
        layers = {f"encoder.{block}.0": f"blocks.{block}" for block in blocks}
        ends = {"LL": "linear", "first_bn": "norm_in", "first_bn1": "norm_out"}
        return PublishedNames(
            {**SPECTRO_TEMPORAL_NAMES, **layers, **ends, "attention": "attention"},
            PUBLISHED_WORDS,
            unused=[f"encoder.{block}.0.bn1" for block in blocks[1:]],
        )

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """The width of the map."""
        return {"width": sizes.of("linear.bias")}

    def pool(self, nodes: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Nodes (B, N, D) to the pooled map (B, 1, width // 3, N // 3) and its mask (B, N // 3).

        Clips of fewer than three nodes are continued with zeros.
        """
        if mask is not None:
            nodes = nodes.masked_fill(~mask[..., None], 0)
        missing = max(POOL - nodes.shape[1], 0)
        image = self.linear(F.pad(nodes, (0, 0, 0, missing))).transpose(1, 2)[:, None]
        pooled = F.max_pool2d(image, POOL)
        if mask is None:
            return pooled, None
        counts = (mask.sum(dim=1) // POOL).clamp(min=1)
        columns = torch.arange(pooled.shape[-1], device=mask.device)
        return pooled, columns < counts[:, None]
