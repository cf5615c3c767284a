"""Where scores and probabilities are cut: chosen on dev, then the same for every recording."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from amsdf.metrics import eer

Decision = Literal["real", "fake", "cannot tell"]
REAL: Decision = "real"
FAKE: Decision = "fake"
CANNOT_TELL: Decision = "cannot tell"


@dataclass(frozen=True)
class OperatingPoint:
    """Fake up to the probability `fake_below`, real from `real_above` on; between, cannot tell.

    Probabilities are that the speech is real. A single cut has both at the same place.
    """

    name: str
    fake_below: float
    real_above: float

    def __post_init__(self) -> None:
        if not 0 <= self.fake_below <= self.real_above <= 1:
            raise ValueError(
                f"operating point {self.name!r}: fake_below {self.fake_below} and real_above "
                f"{self.real_above} must be probabilities in this order"
            )

    def decide(self, probability: float) -> Decision:
        """What a probability means here; one at a single cut is fake."""
        if probability <= self.fake_below:
            return FAKE
        return REAL if probability >= self.real_above else CANNOT_TELL


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
    far: Sequence[float] = (0.01, 0.05),
    costs: tuple[float, float] = (0.95, 0.5),
) -> dict[str, float]:
    """Thresholds on dev scores (Nb,), (Ns,), carried unchanged to every other set.

    Args:
        bonafide: development scores (Nb,).
        spoof: development scores (Ns,).
        far: false-alarm rates; each gives `far-…`, the lowest threshold that keeps it.
        costs: cost times prior of a rejected bona fide and of an accepted spoof trial; gives
            `cost`. The default is that of ASVspoof 5.
    """
    bona, fake = np.asarray(bonafide, np.float64), np.asarray(spoof, np.float64)
    chosen = {"eer": float(eer(bona, fake).threshold)}
    for rate in far:
        chosen[f"far-{100 * rate:g}%"] = _far_threshold(fake, rate)
    chosen["cost"] = _cost_threshold(bona, fake, costs)
    return chosen


def _far_threshold(spoof: np.ndarray, rate: float) -> float:
    return float(np.sort(spoof)[::-1][_allowed(rate, len(spoof))])


def _cost_threshold(bonafide: np.ndarray, spoof: np.ndarray, costs: tuple[float, float]) -> float:
    candidates = np.unique(np.concatenate([bonafide, spoof]))
    candidates = np.concatenate([[candidates[0] - 0.001], candidates])
    misses = np.searchsorted(np.sort(bonafide), candidates, side="right") / len(bonafide)
    alarms = 1 - np.searchsorted(np.sort(spoof), candidates, side="right") / len(spoof)
    return float(candidates[np.argmin(costs[0] * misses + costs[1] * alarms)])
