"""Where scores and probabilities are cut: chosen on dev, then the same for every recording."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from amsdf.metrics import eer
from amsdf.scoring.calibration.points import OperatingPoint

#: How sure it is that a threshold `far-…` lets at most its share of fakes pass.
CONFIDENCE = 0.95
#: The thresholds with such a bound, and their shares.
FAR_RATES = {"far-1%": 0.01, "far-5%": 0.05}


def choose_operating_point(
    bonafide: ArrayLike, spoof: ArrayLike, real_lost: float = 0.05, fakes_passed: float = 0.2
) -> OperatingPoint:
    """The point `default`, chosen on dev probabilities (Nb,), (Ns,) that the speech is real.

    `fake_below` is the highest cut that calls at most a share `real_lost` of the real clips fake,
    and never above 0.5. `real_above` is the lowest cut at which at most a share `fakes_passed` of
    the fakes pass as real, and never below 0.5. So nothing is called what it probably is not.
    Where the classes lie so far apart that the first cut would be above the second, both move to
    the middle between them.
    """
    real, fake = np.sort(np.asarray(bonafide, np.float64)), np.sort(np.asarray(spoof, np.float64))
    first_kept = float(real[_allowed(real_lost, len(real))])
    last_kept = float(fake[::-1][_allowed(fakes_passed, len(fake))])
    fake_below, real_above = np.nextafter(first_kept, 0), np.nextafter(last_kept, 1)
    if fake_below > real_above:
        fake_below = real_above = (first_kept + last_kept) / 2
    return OperatingPoint("default", float(min(fake_below, 0.5)), float(max(real_above, 0.5)))


def _allowed(share: float, count: int) -> int:
    """How many of `count` clips may be mistaken, if a share of them may."""
    if not 0 <= share < 1:
        raise ValueError(f"a share of {share} is not possible; give a fraction such as 0.01")
    return math.floor(share * count + 1e-9)


def choose_thresholds(
    bonafide: ArrayLike,
    spoof: ArrayLike,
    far: Mapping[str, float] = FAR_RATES,
    costs: tuple[float, float] = (0.95, 0.5),
) -> dict[str, float]:
    """Thresholds on dev scores (Nb,), (Ns,), carried unchanged to every other set.

    Args:
        bonafide: development scores (Nb,).
        spoof: development scores (Ns,).
        far: names and false-alarm rates; each gives the threshold of `far_bound`, if there is one.
        costs: cost times prior of a rejected bona fide and of an accepted spoof trial; gives
            `cost`. The default is that of ASVspoof 5.
    """
    bona, fake = np.asarray(bonafide, np.float64), np.asarray(spoof, np.float64)
    chosen = {"eer": float(eer(bona, fake).threshold)}
    return {**chosen, **far_bounds(fake, far), "cost": _cost_threshold(bona, fake, costs)}


@dataclass(frozen=True)
class FarPromise:
    """How far the thresholds `far-…` can be trusted: on fakes like those that they come from.

    Of calibrations on `num_spoof` fakes, drawn one by one, at least the share `confidence` keeps
    its promised rate.
    """

    num_spoof: int
    confidence: float = CONFIDENCE


def least_fakes(rate: float, confidence: float = CONFIDENCE) -> int:
    """From how many fakes on there is a threshold for a false-alarm rate: 299 for 1 %."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def too_few_fakes(name: str, fakes: int) -> str:
    """What to say where a threshold of `FAR_RATES` does not exist."""
    return f"{name} needs at least {least_fakes(FAR_RATES[name])} fakes; calibrated on {fakes}"


def far_bounds(spoof: ArrayLike, far: Mapping[str, float] = FAR_RATES) -> dict[str, float]:
    """Each `far_bound` that there are enough dev scores (Ns,) of fakes for, by name."""
    found = {name: far_bound(spoof, rate) for name, rate in far.items()}
    return {name: bound for name, bound in found.items() if bound is not None}


def far_bound(spoof: ArrayLike, rate: float, confidence: float = CONFIDENCE) -> float | None:
    """The lowest threshold whose false-alarm rate is at most `rate`, with this confidence.

    At it, the upper Clopper-Pearson bound of the rate of dev scores (Ns,) is within `rate`. The
    threshold is one of the scores, chosen by its rank alone, so the bound holds for it as it does
    for a threshold that is given beforehand. None where there are too few fakes.
    """
    scores = np.sort(np.asarray(spoof, np.float64))[::-1]
    # The most fakes that may pass: so few pass at a true rate of `rate` too seldom to be luck.
    passed = int(scipy.stats.binom.ppf(1 - confidence, len(scores), rate)) - 1
    return float(scores[passed]) if passed >= 0 else None


def _cost_threshold(bonafide: np.ndarray, spoof: np.ndarray, costs: tuple[float, float]) -> float:
    candidates = np.unique(np.concatenate([bonafide, spoof]))
    candidates = np.concatenate([[candidates[0] - 0.001], candidates])
    misses = np.searchsorted(np.sort(bonafide), candidates, side="right") / len(bonafide)
    alarms = 1 - np.searchsorted(np.sort(spoof), candidates, side="right") / len(spoof)
    return float(candidates[np.argmin(costs[0] * misses + costs[1] * alarms)])
