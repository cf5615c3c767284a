"""Detection metrics of bona fide against spoof scores: DET curve, EER, detection costs, AUC.

Higher score = more bona fide. Rates are fractions. `frr` is the share of bona fide rejected (also
called miss rate), `far` the share of spoof accepted (false alarm rate).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class DetCurve(NamedTuple):
    """Error rates (n + 1,) after rejecting the lowest 0, 1, …, n trials, and the last score cut."""

    frr: Array
    far: Array
    threshold: Array


class Eer(NamedTuple):
    """Equal error rate; trials with a score above `threshold` are accepted."""

    rate: float
    threshold: float


class Cost(NamedTuple):
    """A normalised detection cost: constant + miss * frr + false_alarm * far."""

    constant: float
    miss: float
    false_alarm: float


class MinCost(NamedTuple):
    """The least cost, and where: trials with a score above `threshold` are accepted."""

    value: float
    threshold: float


def class_scores(scores: ArrayLike, kind: str) -> Array:
    """Scores of one class as float64 (n,); refuses an empty class, NaN and infinities."""
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{kind} scores have shape {array.shape}; they must be a list of numbers")
    if not array.size:
        raise ValueError(f"no {kind} scores given; this metric needs at least one")
    finite = np.isfinite(array)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ValueError(f"{kind} score number {first} is {array[first]}; scores must be finite")
    return array


def both_classes(bonafide: ArrayLike, spoof: ArrayLike) -> tuple[Array, Array]:
    """Checked scores of the two classes."""
    return class_scores(bonafide, "bona fide"), class_scores(spoof, "spoof")


def mean(values: Array) -> float:
    """Mean of (n,), where the sum of huge numbers would overflow too."""
    scale = 2.0**64 if np.abs(values).max() > 1e300 else 1.0
    return float(np.mean(values / scale)) * scale


def det_curve(bonafide: ArrayLike, spoof: ArrayLike) -> DetCurve:
    """The curve of the ASVspoof challenges: every trial a point, among equals bona fide first.

    The float64 formulas are those of the official packages, because their rounding decides which
    of two equally good points is taken as the EER.
    """
    bonafide, spoof = both_classes(bonafide, spoof)
    bonafide, spoof = np.sort(bonafide), np.sort(spoof)
    # Two sorted lists are merged, which is quicker than to sort them as one.
    places = np.arange(bonafide.size) + np.searchsorted(spoof, bonafide)
    is_bonafide = np.zeros(bonafide.size + spoof.size, bool)
    is_bonafide[places] = True
    threshold = np.empty(is_bonafide.size)
    threshold[is_bonafide], threshold[~is_bonafide] = bonafide, spoof
    rejected_bonafide = np.cumsum(is_bonafide)
    rejected_spoof = np.arange(1, is_bonafide.size + 1) - rejected_bonafide
    frr = rejected_bonafide / bonafide.size
    far = (spoof.size - rejected_spoof) / spoof.size
    return DetCurve(
        np.concatenate([[0.0], frr]),
        np.concatenate([[1.0], far]),
        np.concatenate([[threshold[0] - 0.001], threshold]),
    )


def eer(bonafide: ArrayLike, spoof: ArrayLike) -> Eer:
    """Equal error rate by the official definition: no interpolation, ties not collapsed.

    The mean of FRR and FAR at the first point where they are nearest. A detector that ranks spoof
    above bona fide has an EER above one half; it is reported as it is.
    """
    frr, far, threshold = det_curve(bonafide, spoof)
    nearest = int(np.argmin(np.abs(frr - far)))
    return Eer(float((frr[nearest] + far[nearest]) / 2), float(threshold[nearest]))


def eer_collapsed(bonafide: ArrayLike, spoof: ArrayLike) -> Eer:
    """Equal error rate on thresholds that exist: equal scores are decided together.

    Here trials with a score of at least `threshold` are accepted; it may be infinite.
    """
    bonafide, spoof = both_classes(bonafide, spoof)
    thresholds = np.append(np.unique(np.concatenate([bonafide, spoof])), np.inf)
    frr = np.searchsorted(np.sort(bonafide), thresholds) / bonafide.size
    far = 1 - np.searchsorted(np.sort(spoof), thresholds) / spoof.size
    nearest = int(np.argmin(np.abs(frr - far)))
    return Eer(float((frr[nearest] + far[nearest]) / 2), float(thresholds[nearest]))


def dcf_cost(prior_spoof: float = 0.05, miss: float = 1.0, false_alarm: float = 10.0) -> Cost:
    """Detection cost of ASVspoof 5 track 1, normalised by the better of the two blind systems."""
    weights = miss * (1 - prior_spoof), false_alarm * prior_spoof
    return Cost(0.0, weights[0] / min(weights), weights[1] / min(weights))


def cost_curve(cost: Cost, frr: Array, far: Array) -> Array:
    """Cost (n,) at error rates (n,)."""
    return cost.constant + cost.miss * frr + cost.false_alarm * far


def min_cost(bonafide: ArrayLike, spoof: ArrayLike, cost: Cost) -> MinCost:
    """The least cost over all thresholds."""
    frr, far, threshold = det_curve(bonafide, spoof)
    curve = cost_curve(cost, frr, far)
    best = int(np.argmin(curve))
    return MinCost(float(curve[best]), float(threshold[best]))


def min_dcf(bonafide: ArrayLike, spoof: ArrayLike, cost: Cost | None = None) -> float:
    """Minimum detection cost, ASVspoof 5 track 1 unless another cost is given."""
    return min_cost(bonafide, spoof, cost or dcf_cost()).value


def act_dcf(
    bonafide: ArrayLike,
    spoof: ArrayLike,
    cost: Cost | None = None,
    threshold: float | None = None,
) -> float:
    """Detection cost at a fixed threshold (accept if score >= threshold).

    Without a threshold, the Bayes threshold for scores that are natural-log likelihood ratios.
    """
    bonafide, spoof = both_classes(bonafide, spoof)
    cost = cost or dcf_cost()
    if threshold is None:
        threshold = -float(np.log(cost.miss / cost.false_alarm))
    frr, far = np.mean(bonafide < threshold), np.mean(spoof >= threshold)
    return float(cost.constant + cost.miss * frr + cost.false_alarm * far)


def auc(bonafide: ArrayLike, spoof: ArrayLike) -> float:
    """Area under the ROC curve: how often bona fide outscores spoof, equal scores counting half."""
    bonafide, spoof = both_classes(bonafide, spoof)
    spoof = np.sort(spoof)
    below = np.searchsorted(spoof, bonafide, "left").sum(dtype=np.int64)
    at_most = np.searchsorted(spoof, bonafide, "right").sum(dtype=np.int64)
    return float((int(below) + int(at_most)) / (2 * bonafide.size * spoof.size))


def accuracy(bonafide: ArrayLike, spoof: ArrayLike, threshold: float) -> float:
    """Share of right decisions when a score of at least `threshold` is taken as bona fide."""
    bonafide, spoof = both_classes(bonafide, spoof)
    right = np.sum(bonafide >= threshold) + np.sum(spoof < threshold)
    return float(right / (bonafide.size + spoof.size))


def f1(
    bonafide: ArrayLike, spoof: ArrayLike, threshold: float, positive: str = "bonafide"
) -> float:
    """F1 of one class, 'bonafide' or 'spoof', accepting a score of at least `threshold`."""
    if positive not in ("bonafide", "spoof"):
        raise ValueError(f"f1 of class {positive!r}: it must be 'bonafide' or 'spoof'")
    bonafide, spoof = both_classes(bonafide, spoof)
    missed, accepted = int(np.sum(bonafide < threshold)), int(np.sum(spoof >= threshold))
    hits = bonafide.size - missed if positive == "bonafide" else spoof.size - accepted
    return 2 * hits / (2 * hits + missed + accepted) if hits else 0.0
