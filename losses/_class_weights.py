"""Class weights, written (spoof, bona fide) in the order of the labels 0 and 1."""

from collections.abc import Sequence

import torch
from torch import Tensor

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
    """Labels (B,) -> the sum that `weighted_mean` divides by."""
    spoof, bonafide = weights
    count = int((labels == BONAFIDE).sum())
    return bonafide * count + spoof * (len(labels) - count)


def weighted_mean(terms: Tensor, labels: Tensor, weights: tuple[float, float]) -> Tensor:
    """Mean of terms (B,), divided by the sum of the weights in the batch as torch does."""
    rows = row_weights(labels, weights, terms.dtype)
    return (rows * terms).sum() / rows.sum()
