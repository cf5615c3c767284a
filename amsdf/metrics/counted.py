"""Figures of counts by score: each function takes `Counts` (R, M) and gives one number a row (R,).

The same figures as of score lists (`detection`, `cllr`), but for the EER, which is interpolated
between thresholds: these numbers say how much a figure varies, the official functions what it is.
"""

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from amsdf.metrics.detection import Array, Cost, cost_curve
from amsdf.metrics.resampling import Counts


def frr_at(counts: Counts, threshold: float) -> Array:
    """Share of bona fide trials that score at most the threshold."""
    return _share(counts.bonafide, counts.scores <= threshold)


def far_at(counts: Counts, threshold: float) -> Array:
    """Share of spoofed trials that score above the threshold."""
    return _share(counts.spoof, counts.scores > threshold)


def accuracy(counts: Counts, threshold: float) -> Array:
    """Share of right decisions when a score above the threshold is taken as bona fide."""
    right = counts.bonafide @ (counts.scores > threshold)
    right += counts.spoof @ (counts.scores <= threshold)
    return right / (counts.bonafide.sum(axis=1) + counts.spoof.sum(axis=1))


def f1(counts: Counts, threshold: float) -> Array:
    """F1 of finding the spoofed trials: those that score at most the threshold."""
    below = counts.scores <= threshold
    found, wrong = counts.spoof @ below, counts.bonafide @ below
    return 2 * found / (found + wrong + counts.spoof.sum(axis=1))


def eer(counts: Counts) -> Array:
    """Equal error rate, where the straight line between two thresholds crosses."""
    frr, far = _rates(counts)
    gap = frr - far
    after = np.argmax(gap >= 0, axis=1)
    row, before = np.arange(len(gap)), np.maximum(after - 1, 0)
    step = gap[row, after] - gap[row, before]
    share = np.divide(-gap[row, before], step, out=np.zeros_like(step), where=step > 0)
    return frr[row, before] + share * (frr[row, after] - frr[row, before])


def min_cost(counts: Counts, cost: Cost) -> Array:
    """The least cost over all thresholds."""
    return cost_curve(cost, *_rates(counts)).min(axis=1)


def act_cost(counts: Counts, cost: Cost) -> Array:
    """Cost at the Bayes threshold of natural-log likelihood ratios."""
    threshold = -float(np.log(cost.miss / cost.false_alarm))
    return cost_curve(cost, frr_at(counts, threshold), far_at(counts, threshold))


def auc(counts: Counts) -> Array:
    """How often bona fide outscores spoof, equal scores counting half."""
    below = np.cumsum(counts.spoof, axis=1) - counts.spoof / 2
    pairs = counts.bonafide.sum(axis=1) * counts.spoof.sum(axis=1)
    return np.einsum("rm,rm->r", counts.bonafide, below) / pairs


def cllr(counts: Counts) -> Array:
    """Cost in bits of scores taken as natural-log likelihood ratios."""
    bits = (
        _share(counts.bonafide, np.logaddexp(0, -counts.scores)),
        _share(counts.spoof, np.logaddexp(0, counts.scores)),
    )
    return (bits[0] + bits[1]) / 2 / np.log(2)


def min_cllr(counts: Counts) -> Array:
    """Cllr after the best monotone calibration."""
    return np.array([_min_cllr(*row) for row in zip(*counts[:2], strict=True)])


def _min_cllr(bonafide: Array, spoof: Array) -> float:
    real, fake = bonafide / bonafide.sum(), spoof / spoof.sum()
    kept = real + fake > 0
    real, fake = real[kept], fake[kept]
    share = scipy.optimize.isotonic_regression(real / (real + fake), weights=real + fake).x
    # A share of 0 or 1 only occurs where its logarithm has no weight.
    bits = real @ -np.log2(np.where(real > 0, share, 1))
    bits += fake @ -np.log2(np.where(fake > 0, 1 - share, 1))
    return float(bits / 2)


def ece(counts: Counts, bins: int = 15) -> Array:
    """Expected calibration error of scores that are probabilities of bona fide."""
    which = np.clip((counts.scores * bins).astype(int), 0, bins - 1)
    in_bin = np.eye(bins)[which]
    everyone = counts.bonafide + counts.spoof
    gaps = (everyone * counts.scores - counts.bonafide) @ in_bin
    return np.abs(gaps).sum(axis=1) / everyone.sum(axis=1)


def _share(counts: Array, value: NDArray[Any]) -> Array:
    """The mean over trials of what a score is worth, (R, M) and (M,) -> (R,)."""
    value = np.clip(value.astype(np.float64), -1e290, 1e290)  # sums of more would overflow
    return counts @ value / counts.sum(axis=1)


def _rates(counts: Counts) -> tuple[Array, Array]:
    """FRR and FAR (R, M + 1) after rejecting the lowest 0, 1, …, M scores."""
    frr, accepted = (
        np.pad(np.cumsum(each, axis=1), ((0, 0), (1, 0))) / each.sum(axis=1, keepdims=True)
        for each in counts[:2]
    )
    return frr, 1 - accepted
