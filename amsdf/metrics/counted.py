"""Figures of counts by score: each function takes `Counts` of R resamples and gives (R,) numbers.

The same figures as of score lists (`detection`, `cllr`), but for the EER, which is interpolated
between thresholds: these numbers say how much a figure varies, the official functions what it is.
"""

import numpy as np
import scipy

from amsdf.metrics.counts import Counts, Places
from amsdf.metrics.detection import Array, Cost, cost_curve


def frr_at(counts: Counts, threshold: float) -> Array:
    """Share of bona fide trials that score at most the threshold."""
    return counts.bonafide.mean(counts.scores <= threshold)


def far_at(counts: Counts, threshold: float) -> Array:
    """Share of spoofed trials that score above the threshold."""
    return counts.spoof.mean(counts.scores > threshold)


def accuracy(counts: Counts, threshold: float) -> Array:
    """Share of right decisions when a score above the threshold is taken as bona fide."""
    right = counts.bonafide.sum(counts.scores > threshold)
    right += counts.spoof.sum(counts.scores <= threshold)
    return right / (counts.bonafide.total + counts.spoof.total)


def f1(counts: Counts, threshold: float) -> Array:
    """F1 of finding the spoofed trials: those that score at most the threshold."""
    below = counts.scores <= threshold
    found, wrong = counts.spoof.sum(below), counts.bonafide.sum(below)
    return 2 * found / (found + wrong + counts.spoof.total)


def eer(counts: Counts) -> Array:
    """Equal error rate, where the straight line between two thresholds crosses.

    FRR less FAR grows with the threshold, from -1 to 1: halving finds where it passes 0.
    """

    def rates(place: Places) -> tuple[Array, Array]:
        frr = counts.bonafide.share_below(place)
        return frr, frr - (1 - counts.spoof.share_below(place))

    before: Places = np.zeros(len(counts.bonafide.total), np.intp)
    after: Places = np.full_like(before, counts.scores.size)
    while (after - before).max(initial=0) > 1:
        middle = (before + after) // 2
        crossed = rates(middle)[1] >= 0
        before, after = np.where(crossed, before, middle), np.where(crossed, middle, after)

    (frr, gap), (frr_after, gap_after) = rates(before), rates(after)
    step = gap_after - gap
    share = np.divide(-gap, step, out=np.zeros_like(step), where=step > 0)
    return frr + share * (frr_after - frr)


def min_cost(counts: Counts, cost: Cost) -> Array:
    """The least cost over all thresholds."""
    counts = counts.joined()
    parts = zip(counts.bonafide.shares_below(), counts.spoof.shares_below(), strict=True)
    return np.concatenate([cost_curve(cost, frr, 1 - below).min(axis=1) for frr, below in parts])


def act_cost(counts: Counts, cost: Cost) -> Array:
    """Cost at the Bayes threshold of natural-log likelihood ratios."""
    threshold = -float(np.log(cost.miss / cost.false_alarm))
    return cost_curve(cost, frr_at(counts, threshold), far_at(counts, threshold))


def auc(counts: Counts) -> Array:
    """How often bona fide outscores spoof, equal scores counting half."""
    pairs = counts.bonafide.total * counts.spoof.total
    return _pairs_in_order(counts) / pairs


def _pairs_in_order(counts: Counts) -> Array:
    """Pairs of a bona fide and a spoofed trial in which the former scores higher, (R,)."""
    cells = counts.spoof.cells.astype(np.float64)
    below = np.cumsum(cells, axis=1) - cells / 2
    num_drawn, num_groups = counts.spoof.drawn.shape
    if 2 * num_groups <= num_drawn:  # it is quicker to ask first of each two groups, (G, G)
        between = counts.bonafide.cells.astype(np.float64) @ below.T
        drawn = counts.bonafide.drawn.astype(np.float64), counts.spoof.drawn.astype(np.float64)
        return np.einsum("rg,rg->r", drawn[0] @ between, drawn[1])
    below = below.astype(counts.spoof.cells.dtype)
    parts = zip(counts.bonafide.tables(), counts.spoof.summed(below), strict=True)
    return np.concatenate([np.einsum("rm,rm->r", *part) for part in parts])


def cllr(counts: Counts) -> Array:
    """Cost in bits of scores taken as natural-log likelihood ratios."""
    bits = (
        counts.bonafide.mean(np.logaddexp(0, -counts.scores)),
        counts.spoof.mean(np.logaddexp(0, counts.scores)),
    )
    return (bits[0] + bits[1]) / 2 / np.log(2)


def min_cllr(counts: Counts) -> Array:
    """Cllr after the best monotone calibration."""
    counts = counts.joined()
    parts = zip(counts.bonafide.tables(), counts.spoof.tables(), strict=True)
    return np.concatenate([_min_cllr(real, fake) for real, fake in parts])


def _min_cllr(bonafide: Array, spoof: Array) -> Array:
    """Of counts (r, M): the rows are calibrated as one, each above the one before."""
    real = bonafide / bonafide.sum(axis=1, keepdims=True)
    fake = spoof / spoof.sum(axis=1, keepdims=True)
    row = np.broadcast_to(np.arange(len(real))[:, None], real.shape)
    kept = real + fake > 0
    real, fake, row = real[kept], fake[kept], row[kept]
    found = scipy.optimize.isotonic_regression(real / (real + fake) + 2 * row, weights=real + fake)

    starts = found.blocks[:-1]  # each of one share of bona fide, none over two rows
    real, fake = np.add.reduceat(real, starts), np.add.reduceat(fake, starts)
    share = real / (real + fake)
    # A share of 0 or 1 only occurs where its logarithm has no weight.
    bits = -real * np.log2(np.where(real > 0, share, 1))
    bits -= fake * np.log2(np.where(fake > 0, 1 - share, 1))
    return np.bincount(row[starts], bits, len(bonafide)) / 2


def ece(counts: Counts, bins: int = 15) -> Array:
    """Expected calibration error of scores that are probabilities of bona fide."""
    which = np.clip((counts.scores * bins).astype(int), 0, bins - 1)
    in_bin = np.eye(bins)[which]
    worth = counts.scores[:, None] * in_bin
    gaps = counts.bonafide.sum(worth) + counts.spoof.sum(worth) - counts.bonafide.sum(in_bin)
    return np.abs(gaps).sum(axis=1) / (counts.bonafide.total + counts.spoof.total)
