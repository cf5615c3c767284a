"""Metrics of a countermeasure that guards a speaker verification system (ASV).

t-DCF in the forms of ASVspoof 2019 and 2021 (Kinnunen et al., "t-DCF: a detection cost function
for the tandem assessment of spoofing countermeasures and automatic speaker verification", Odyssey
2018; revised in IEEE/ACM TASLP 2020), a-DCF (Shim et al., Odyssey 2024), t-EER (Kinnunen et al.,
IEEE TPAMI 2023), and the three EERs of SASV 2022. Rates are fractions, the t-EER too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsdf.metrics.detection import (
    Array,
    Cost,
    both_classes,
    class_scores,
    det_curve,
    eer,
    min_cost,
)

FORMS = ("2019", "2021")


@dataclass(frozen=True)
class AsvScores:
    """Scores of a speaker verification system; `attacks` (n,) names the attack of each spoof."""

    target: ArrayLike
    nontarget: ArrayLike
    spoof: ArrayLike
    attacks: Sequence[str] | None = None


class AsvRates(NamedTuple):
    """Error rates of a verification system at one threshold."""

    miss: float
    false_alarm: float
    false_alarm_spoof: float
    threshold: float = float("nan")

    @property
    def miss_spoof(self) -> float:
        """Share of spoofed trials that the verification system itself rejects."""
        return 1 - self.false_alarm_spoof


#: What the organisers of ASVspoof 5 track 2 assume when no ASV scores are given.
ASVSPOOF5_ASV = AsvRates(0.01880141010575793, 0.01881016557566423, 0.4607082907604729)


class TandemCosts(NamedTuple):
    """Priors and costs of the t-DCF; the defaults are those of ASVspoof 2019 and 2021."""

    prior_spoof: float = 0.05
    prior_target: float = 0.9405
    prior_nontarget: float = 0.0095
    miss: float = 1.0
    false_alarm: float = 10.0
    false_alarm_spoof: float = 10.0


def asv_rates(asv: AsvScores, attack: str | None = None) -> AsvRates:
    """Rates at the EER threshold of target against nontarget; accepted at or above it.

    With `attack`, only the spoofed trials of that attack count: the convention "attack's own ASV
    rate". Without, all of them: "pooled". The threshold is the same.
    """
    target = class_scores(asv.target, "ASV target")
    nontarget = class_scores(asv.nontarget, "ASV nontarget")
    spoof = np.asarray(asv.spoof, dtype=np.float64)
    if attack is not None:
        if asv.attacks is None:
            raise ValueError(f"ASV scores do not name their attacks, so none is {attack!r}")
        spoof = spoof[np.asarray(asv.attacks) == attack]
    spoof = class_scores(spoof, "ASV spoof" + (f" ({attack})" if attack else ""))
    threshold = eer(target, nontarget).threshold
    return AsvRates(
        float(np.mean(target < threshold)),
        float(np.mean(nontarget >= threshold)),
        float(np.mean(spoof >= threshold)),
        threshold,
    )


def tdcf_weights(
    asv: AsvRates | AsvScores, costs: TandemCosts | None = None
) -> tuple[float, float, float]:
    """C0, C1 and C2: what the verification system costs alone, per FRR and per FAR of the guard."""
    rates = asv if isinstance(asv, AsvRates) else asv_rates(asv)
    costs = costs or TandemCosts()
    priors = costs.prior_target + costs.prior_nontarget + costs.prior_spoof
    if abs(priors - 1) > 1e-10:
        raise ValueError(f"t-DCF priors sum to {priors:g}; they must sum to 1")
    alone = (
        costs.prior_target * costs.miss * rates.miss
        + costs.prior_nontarget * costs.false_alarm * rates.false_alarm
    )
    per_frr = costs.prior_target * costs.miss - alone
    per_far = costs.prior_spoof * costs.false_alarm_spoof * rates.false_alarm_spoof
    if per_frr < 0:
        raise ValueError(
            f"t-DCF weight C1 is {per_frr:g}: the verification system costs more than no system"
        )
    return alone, per_frr, per_far


def tdcf_cost(
    asv: AsvRates | AsvScores, form: str = "2021", costs: TandemCosts | None = None
) -> Cost:
    """The normalised t-DCF as a cost of (FRR, FAR); 2019 leaves out what the ASV costs alone."""
    if form not in FORMS:
        raise ValueError(f"no t-DCF form {form!r}; it must be '2019' or '2021'")
    alone, per_frr, per_far = tdcf_weights(asv, costs)
    alone = alone if form == "2021" else 0.0
    worst = alone + min(per_frr, per_far)
    if worst <= 0:
        raise ValueError(
            "t-DCF cannot be normalised: the verification system alone rejects every spoof, "
            "so a countermeasure gains nothing"
        )
    return Cost(alone / worst, per_frr / worst, per_far / worst)


def min_tdcf(
    bonafide: ArrayLike, spoof: ArrayLike, asv: AsvRates | AsvScores, form: str = "2021"
) -> float:
    """Minimum normalised t-DCF of countermeasure scores, in the form of 2019 or 2021."""
    bonafide, spoof = both_classes(bonafide, spoof)
    if np.unique(np.concatenate([bonafide, spoof])).size < 3:
        raise ValueError("min t-DCF needs soft scores, not decisions: fewer than 3 differ")
    return min_cost(bonafide, spoof, tdcf_cost(asv, form)).value


class _ThreeClasses(NamedTuple):
    """Rates (n + 1,) after rejecting the lowest 0, 1, …, n trials of three classes together."""

    miss: Array
    false_alarm: Array
    false_alarm_spoof: Array


def _three_classes(target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike) -> _ThreeClasses:
    classes = [
        class_scores(scores, kind)
        for scores, kind in ((target, "target"), (nontarget, "nontarget"), (spoof, "spoof"))
    ]
    order = np.argsort(np.concatenate(classes), kind="stable")
    bounds = np.cumsum([0] + [scores.size for scores in classes])
    rejected = [
        np.concatenate([[0], np.cumsum((order >= low) & (order < high))])
        for low, high in pairwise(bounds)
    ]
    sizes = np.diff(bounds)
    return _ThreeClasses(
        rejected[0] / sizes[0],
        (sizes[1] - rejected[1]) / sizes[1],
        (sizes[2] - rejected[2]) / sizes[2],
    )


def a_dcf(
    target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike, costs: TandemCosts | None = None
) -> float:
    """Minimum architecture-agnostic DCF of single scores that decide about speaker and spoof.

    The default costs are those of ASVspoof 5; the authors' own defaults are
    `TandemCosts(0.05, 0.9, 0.05, 1, 10, 20)`.
    """
    costs = costs or TandemCosts()
    miss, false_alarm, false_alarm_spoof = _three_classes(target, nontarget, spoof)
    weights = (
        costs.miss * costs.prior_target,
        costs.false_alarm * costs.prior_nontarget,
        costs.false_alarm_spoof * costs.prior_spoof,
    )
    curve = weights[0] * miss + weights[1] * false_alarm + weights[2] * false_alarm_spoof
    return float(curve.min() / min(weights[0], weights[1] + weights[2]))


class SasvEers(NamedTuple):
    """EERs of SASV 2022: target against all others, against nontargets, against spoofs."""

    sasv: float
    sv: float
    spf: float


def sasv_eers(target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike) -> SasvEers:
    """The three EERs of single scores over target, nontarget and spoofed trials."""
    others = np.concatenate([class_scores(nontarget, "nontarget"), class_scores(spoof, "spoof")])
    return SasvEers(eer(target, others).rate, eer(target, nontarget).rate, eer(target, spoof).rate)


def _balance(
    frr: Array, far: Array, miss: Array, nontarget: Array, spoofed: Array
) -> NDArray[np.int64]:
    """For each ASV operating point (m,), the CM point (of n) where tandem errors are nearest."""

    def gap(point: NDArray[np.int64]) -> Array:
        tandem_miss = frr[point] + (1 - frr[point]) * miss
        return tandem_miss - 0.5 * ((1 - frr[point]) * nontarget + far[point] * spoofed)

    low, high = np.zeros(miss.size, np.int64), np.full(miss.size, frr.size - 1)
    while (low < high).any():  # the gap grows along the curve: bisect for its first positive point
        middle = (low + high) // 2
        positive = gap(middle) >= 0
        low, high = (
            np.where(positive, low, np.minimum(middle + 1, high)),
            np.where(positive, middle, high),
        )
    before = np.maximum(low - 1, 0)
    return np.where(np.abs(gap(before)) <= np.abs(gap(low)), before, low)


def t_eer(bonafide: ArrayLike, spoof: ArrayLike, asv: AsvScores) -> float:
    """Concurrent tandem EER of a countermeasure before a verification system.

    For each ASV threshold, the CM threshold at which the tandem misses as often as it raises false
    alarms (half of the impostors spoofed); of these pairs, the one at which nontargets and spoofs
    pass equally often.
    """
    rates = _three_classes(asv.target, asv.nontarget, asv.spoof)
    useful = rates.miss < 0.5 * rates.false_alarm + 0.5 * rates.false_alarm_spoof
    miss, nontarget, spoofed = (rate[useful] for rate in rates)
    frr, far, _ = det_curve(bonafide, spoof)
    at = _balance(frr, far, miss, nontarget, spoofed)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(nontarget / spoofed - far[at] / (1 - frr[at]))
    best = int(np.argmin(np.nan_to_num(distance, nan=np.inf)))
    return float(spoofed[best] * far[at[best]])
