"""The simplest fusion: mean and deviation of every view, one linear layer."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape
from heads._norms import batch_norm
from heads._pooling import mean_and_deviation
from heads._view_adapters import LayerMix


class PoolLinearHead(Head):
    """Mean and standard deviation over time of every view, concatenated, through a linear layer.

    Args:
        views: Any number of views; the layers of a stack are averaged with learned weights.
        embedding_dim: Width of the embedding.
        dropout: On the pooled vector.
        norm: Batch norm of the pooled vector, in front of the dropout.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        embedding_dim: int = 64,
        dropout: float = 0.0,
        norm: bool = False,
    ) -> None:
        super().__init__()
        if not views:
            raise ValueError("needs at least one view, given none")
        self.embedding_dim = embedding_dim
        self.names = sorted(views)
        self.mixes = nn.ModuleDict({name: LayerMix(views[name].layers) for name in self.names})
        width = 2 * sum(shape.dim for shape in views.values())
        self.norm = nn.BatchNorm1d(width) if norm else None
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, embedding_dim)

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Views (B, N, D) or (B, L, N, D), masks (B, N) -> (B, E)."""
        parts = [
            mean_and_deviation(self.mixes[name](views[name]), masks[name] if masks else None)
            for name in self.names
        ]
        pooled = torch.cat(parts, dim=1)
        if self.norm is not None:
            pooled = batch_norm(self.norm, pooled)
        return self.linear(self.dropout(pooled))
