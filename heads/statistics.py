"""Statistics over time of every view, standardised, through one linear layer.

How much a state varies, and how much it changes from node to node, says more about the origin of
speech than its mean, which is about who speaks and over which channel.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape
from heads._pooling import LEAST_VARIANCE, mean_and_deviation


class StatisticsHead(Head):
    """Mean, deviation and deviation of differences of every node dimension and layer.

    `centre` and `spread` standardise the statistics. Batches of training move them; a closed-form
    training sets them.

    Args:
        views: Any number of views; of a stack, every layer has statistics of its own.
        embedding_dim: Width of the embedding.
        momentum: How far one batch moves centre and spread.
        dropout: On the standardised statistics.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        embedding_dim: int = 64,
        momentum: float = 0.1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not views:
            raise ValueError("needs at least one view, given none")
        self.names = sorted(views)
        width = 3 * sum(shape.dim * (shape.layers or 1) for shape in views.values())
        self.momentum = momentum
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, embedding_dim)
        self.embedding_dim = embedding_dim

    def statistics(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Views (B, N, D) or (B, L, N, D), masks (B, N) -> (B, 3 x all widths)."""
        parts = []
        for name in self.names:
            mask = masks[name] if masks else None
            view = views[name]
            layers = view[:, None] if view.dim() == 3 else view  # (B, L, N, D)
            parts += [_statistics_of(layer, mask) for layer in layers.unbind(dim=1)]
        return torch.cat(parts, dim=1)

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Views (B, N, D) or (B, L, N, D), masks (B, N) -> (B, E)."""
        found = self.statistics(views, masks)
        if self.training and len(found) > 1:
            self._follow(found.detach())
        standard = (found - self.centre) / self.spread
        return self.linear(self.dropout(standard))

    def _follow(self, found: Tensor) -> None:
        """Move centre and spread towards those of a batch (B, W)."""
        self.centre.lerp_(found.mean(dim=0).to(self.centre.dtype), self.momentum)
        self.spread.lerp_((found.std(dim=0) + 1e-4).to(self.spread.dtype), self.momentum)


def _statistics_of(nodes: Tensor, mask: Tensor | None) -> Tensor:
    """(B, N, D), mask (B, N) -> mean, deviation and deviation of differences (B, 3 D)."""
    pooled = mean_and_deviation(nodes, mask)
    if nodes.shape[1] < 3:
        changes = pooled.new_full((len(nodes), nodes.shape[2]), LEAST_VARIANCE**0.5)
    else:
        steps = nodes[:, 1:] - nodes[:, :-1]
        real = None if mask is None else mask[:, 1:]
        changes = mean_and_deviation(steps, real)[:, nodes.shape[2] :]
    return torch.cat([pooled, changes], dim=1)
