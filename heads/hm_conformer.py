"""HM-Conformer: a Conformer that halves its frames twice and returns a token at each length.

Shin et al., "HM-Conformer: a Conformer-based audio deepfake detection system with hierarchical
pooling and multi-level classification token aggregation methods" (ICASSP 2024).
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape, mask_of
from amsdf.published_names import PublishedNames, Sizes
from heads._conformer import NORM_EPSILON, PUBLISHED_WORDS, ConformerBlock
from heads._norms import batch_norm
from heads._pooling import AttentivePooling
from heads._view_adapters import only_view

NUM_BLOCKS = 6
#: After these blocks, counted from 1, frames are pooled by two and one token is complete.
POOLED_AFTER = (2, 4)
NUM_TOKENS = 3
#: What is fused: the tokens and the pooled frames.
NUM_LEVELS = NUM_TOKENS + 1
#: Fewest nodes that leave one frame at the end.
FEWEST_NODES = 9


class Projection(nn.Module):
    """Linear, swish, batch norm."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim)
        self.norm = nn.BatchNorm1d(out_dim)

    def forward(self, vector: Tensor) -> Tensor:
        """(B, in_dim) -> (B, out_dim)."""
        return batch_norm(self.norm, F.silu(self.linear(vector)))


class Subsampling(nn.Module):
    """A 3 x 3 convolution of stride two over the (time, feature) map, ReLU, a linear layer."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, out_dim, 3, stride=2)
        self.linear = nn.Linear(out_dim * ((in_dim - 1) // 2), out_dim)

    def forward(self, nodes: Tensor) -> Tensor:
        """(B, N, in_dim) -> (B, (N - 1) // 2, out_dim)."""
        maps = self.conv(nodes[:, None]).relu()  # (B, out_dim, N', features)
        return self.linear(rearrange(maps, "b channel n feature -> b n (channel feature)"))


class HMConformerHead(Head):
    """HM-Conformer over one spectral view.

    The published system trains five classifiers, on three tokens, the pooled frames and the fusion
    of the four; only the last one scores. The embedding is what that one sees, or with
    `multi_level` what all five see, side by side, for the loss `split-sum`.

    Args:
        views: One view (B, N, D).
        width: Width of the frames.
        heads: Number of attention heads.
        hidden_dim: Inner width of the feed-forward layers.
        kernel: Frames the depthwise convolutions see; odd.
        embedding_dim: Width of the embedding of one classifier.
        multi_level: Give the embeddings of all five classifiers, that of the fusion last.
        dropout: Within the blocks.
        level_dropout: On each of the four vectors.
        fusion_dropout: On the four together, before their fusion.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        width: int = 128,
        heads: int = 4,
        hidden_dim: int = 256,
        kernel: int = 15,
        embedding_dim: int = 64,
        multi_level: bool = False,
        dropout: float = 0.1,
        level_dropout: float = 0.3,
        fusion_dropout: float = 0.75,
    ) -> None:
        super().__init__()
        self.view, shape = only_view(views, stack=False)
        if shape.dim < 3 or width % heads or kernel % 2 == 0:
            raise ValueError(
                f"needs 3 or more features, a width divisible by the heads and an odd kernel; "
                f"given {shape.dim} features, width {width}, heads {heads}, kernel {kernel}"
            )

        self.embedding_dim = embedding_dim * (NUM_LEVELS + 1 if multi_level else 1)
        self.subsampling = Subsampling(shape.dim, width)
        self.tokens = nn.Parameter(torch.rand(1, NUM_TOKENS, width))
        self.blocks = nn.ModuleList(
            [ConformerBlock(width, heads, hidden_dim, kernel, dropout) for _ in range(NUM_BLOCKS)]
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)

        self.pooling = AttentivePooling(width, deviation=False)
        self.token_projections = nn.ModuleList(
            [Projection(width, width) for _ in range(NUM_TOKENS)]
        )
        self.level_dropout = nn.Dropout(level_dropout)
        self.fusion_dropout = nn.Dropout(fusion_dropout)
        self.fusion = Projection(NUM_LEVELS * width, width)
        self.level_backends = nn.ModuleList(
            [Projection(width, embedding_dim) for _ in range(NUM_LEVELS if multi_level else 0)]
        )
        self.backend = Projection(width, embedding_dim)

    def encode(
        self, nodes: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Run the blocks.

        Args:
            nodes: (B, N, D), zero where padded.
            counts: True node counts (B,) where some are padded.

        Returns:
            Tokens (B, 3, width), frames (B, N', width), mask (B, N') of the frames.
        """
        frames = self.subsampling(nodes)
        counts = None if counts is None else (counts - 1) // 2

        # The released code scales wherever it makes new positions, here and after each pooling,
        # though nothing is added to the frames that they would have to outweigh.
        scale = math.sqrt(frames.shape[-1])
        tokens = self.tokens.expand(frames.shape[0], -1, -1) * scale
        frames, complete = frames * scale, []

        for number, block in enumerate(self.blocks, start=1):
            num_tokens = tokens.shape[1]
            sequence = block(
                torch.cat([tokens, frames], dim=1), num_tokens, _mask(frames, tokens, counts)
            )
            tokens, frames = sequence[:, :num_tokens], sequence[:, num_tokens:]
            if number in POOLED_AFTER:
                frames = F.max_pool1d(frames.transpose(1, 2), 2).transpose(1, 2) * scale
                counts = None if counts is None else counts // 2
                # It has seen frames of this length only; the others go on to the shorter ones.
                complete.append(tokens[:, 0])
                tokens = tokens[:, 1:] * scale

        mask = None if counts is None else mask_of(counts, frames.shape[1])
        return torch.stack([*complete, tokens[:, 0]], dim=1), self.norm(frames), mask

    def outputs(self, nodes: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All that the published classifiers see.

        Args:
            nodes: (B, N, D).
            mask: (B, N).

        Returns:
            The levels, three tokens and the pooled frames, (B, 4, width); their fusion (B, width).
        """
        counts = None
        if mask is not None:
            nodes = nodes.masked_fill(~mask[..., None], 0)
            counts = mask.sum(dim=1).clamp(min=FEWEST_NODES)
        nodes = F.pad(nodes, (0, 0, 0, max(FEWEST_NODES - nodes.shape[1], 0)))

        tokens, frames, frame_mask = self.encode(nodes, counts)
        projected = [
            projection(token)
            for projection, token in zip(self.token_projections, tokens.unbind(dim=1), strict=True)
        ]
        pooled = self.pooling(frames, frame_mask)
        levels = self.level_dropout(torch.stack([*projected, pooled], dim=1))

        fused = rearrange(levels, "b level width -> b (level width)")
        return levels, self.fusion(self.fusion_dropout(fused))

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The view (B, N, D), its mask (B, N) -> (B, E)."""
        levels, fused = self.outputs(views[self.view], masks[self.view] if masks else None)
        # Without `multi_level` there is no back-end for a level, and the zip is empty.
        backends = zip(self.level_backends, levels.unbind(dim=1), strict=False)
        embeddings = [backend(level) for backend, level in backends]
        return torch.cat([*embeddings, self.backend(fused)], dim=1)

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Those of HM-Conformer: its front-end and its back-ends, each in a file of its own."""
        conformer = {
            "embed.conv.0": "subsampling.conv",
            "embed.out.0": "subsampling.linear",
            "embed.cls_token1": "tokens.first",
            "embed.cls_token": "tokens.last",
            "encoders": "blocks",
            "after_norm": "norm",
        }
        names = {f"frontend.conformer_mp.{key}": conformer[key] for key in conformer}
        for token in range(NUM_TOKENS):
            names[f"frontend.fc{token}"] = f"token_projections.{token}.linear"
            names[f"frontend.bn{token}"] = f"token_projections.{token}.norm"
        names["frontend.attn.mm_weights"] = "pooling.vector"
        names[f"frontend.fc{NUM_TOKENS}"] = "fusion.linear"
        names[f"frontend.bn{NUM_TOKENS}"] = "fusion.norm"
        for level in range(NUM_LEVELS + 1):
            ours = f"level_backends.{level}" if level < NUM_LEVELS else "backend"
            names[f"backend{level}.fc"] = f"{ours}.linear"
            names[f"backend{level}.bn"] = f"{ours}.norm"
        return PublishedNames(names, PUBLISHED_WORDS)

    @classmethod
    def from_published(
        cls, weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Theirs -> ours; their tokens are two weights: those that leave first, and the last."""
        ours, others = super().from_published(weights)
        halves = [ours[half] for half in ("tokens.first", "tokens.last") if half in ours]
        shapes = {(half.dim(), half.shape[0], half.shape[-1]) for half in halves if half.dim()}
        if len(halves) == 2 and len(shapes) == 1:
            ours["tokens"] = torch.cat([ours.pop("tokens.first"), ours.pop("tokens.last")], dim=1)
        return ours, others

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """All that decides the shapes."""
        return {
            "width": sizes.of("norm.weight"),
            "heads": sizes.of("blocks.0.attention.content_bias"),
            "hidden_dim": sizes.of("blocks.0.feed_forward1.linear1.bias"),
            "kernel": sizes.of("blocks.0.convolution.depthwise.weight", 2),
            "embedding_dim": sizes.of("backend.linear.bias"),
        }


def _mask(frames: Tensor, tokens: Tensor, counts: Tensor | None) -> Tensor | None:
    """The mask (B, T + N) of tokens and frames together; tokens are always real."""
    if counts is None:
        return None
    num_tokens = tokens.shape[1]
    return mask_of(counts + num_tokens, num_tokens + frames.shape[1])
