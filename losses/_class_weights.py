"""Class weights, written (spoof, bona fide) in the order of the labels 0 and 1."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from amsdf.contracts import BONAFIDE


def checked_weights(weights: Sequence[float] | None) -> tuple[float, float]:
    """The two weights, (1, 1) for none; anything else is refused."""
    if weights is None:
        return 1.0, 1.0
    if len(weights) != 2 or min(weights) <= 0:
        raise ValueError(
            f"weights {list(weights)} must be two positive numbers, spoof first, bona fide second"
        )
    return float(weights[0]), float(weights[1])


def row_weights(labels: Tensor, weights: tuple[float, float], dtype: torch.dtype) -> Tensor:
    """Labels (B,) -> the weight of each row (B,)."""
    spoof, bonafide = weights
    is_bonafide = (labels == BONAFIDE).to(dtype)
    return bonafide * is_bonafide + spoof * (1 - is_bonafide)


def total_weight(labels: Tensor, weights: tuple[float, float]) -> float:
    """Labels (B,) -> the sum that `weighted_cross_entropy` divides by."""
    spoof, bonafide = weights
    count = int((labels == BONAFIDE).sum())
    return bonafide * count + spoof * (len(labels) - count)


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: tuple[float, float]) -> Tensor:
    """Logits (B, 2), labels (B,) -> scalar."""
    # torch divides by the sum of the weights, not by B: weights change the balance of the classes
    # and not the size of the loss. It takes the soft-max by a log-sum-exp, because exp(100) is more
    # than float32 holds.
    return functional.cross_entropy(logits, labels.long(), weight=logits.new_tensor(weights))
