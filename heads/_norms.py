"""Batch norm that also trains on a single clip."""

import torch.nn.functional as F
from torch import Tensor, nn


def batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> Tensor:
    """Batch norm of (B, C, …), C channels.

    A single value a channel has no spread, and torch refuses to train on it. It is normed with the
    running statistics then: the last batch of an epoch may be one clip.
    """
    if norm.training and values.numel() == values.shape[1]:
        return F.batch_norm(
            values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
    return norm(values)
