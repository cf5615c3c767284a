"""Confidence intervals of figures and paired tests of two systems, by clip, speaker or source.

The spread of a figure over resamples, on the scale of its log odds (shares) or its logarithm
(costs), times Student's t for the effective number of groups: percentiles of resamples are too
narrow with few groups, or groups of unequal size. With few errors resamples say too little, so the
bound of Clopper and Pearson (1934) comes in: an interval is never of zero width.
`scripts/bench/intervals.py` shows how often intervals hold the truth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import scipy  # its parts are imported when they are first used: `scipy.stats` takes half a second
from numpy.typing import ArrayLike

from amsdf.metrics import counted
from amsdf.metrics.counts import Counts
from amsdf.metrics.detection import Array, Cost, both_classes, dcf_cost
from amsdf.metrics.resampling import Resampling, Trials

#: Below so many clips of a class, or groups of them, an interval says too little.
LEAST_CLIPS = 10
LEAST_GROUPS = 5
#: So many groups of one size say as much as those there are, or else one group has most clips.
LEAST_EFFECTIVE = 2.0
#: Below so many errors the exact bound counts too.
FEW_ERRORS = 10

#: Which trials a figure counts, and which class it needs.
Needs = Literal["both", "bonafide", "spoof"]


@dataclass(frozen=True)
class Metric:
    """A figure of counts, and what it can be.

    `errors`: a share of errors; `share`: another figure between 0 and 1; `cost`: from 0 on, without
    an upper limit.
    """

    of: Callable[[Counts], Array]
    kind: Literal["errors", "share", "cost"] = "cost"
    needs: Needs = "both"
    #: The most that a cost can be.
    most: float = np.inf


class Interval(NamedTuple):
    """Bounds of a confidence interval."""

    low: float
    high: float


EER = Metric(counted.eer, "errors")
AUC = Metric(counted.auc, "share")


def cost_metric(cost: Cost) -> Metric:
    """The least of a normalised detection cost, such as `tdcf_cost(asv, "2021")`: 1 at most."""
    return Metric(lambda counts: counted.min_cost(counts, cost), most=1.0)


def clopper_pearson(errors: float, trials: float, level: float = 0.95) -> Interval:
    """Exact bounds of a share of errors; the counts may be effective ones, not whole."""
    tail = (1 - level) / 2
    of_beta = scipy.special.betaincinv
    low = of_beta(errors, trials - errors + 1, tail) if errors > 0 else 0.0
    high = of_beta(errors + 1, trials - errors, 1 - tail) if errors < trials else 1.0
    return Interval(float(low), float(high))


class Intervals:
    """Intervals of any figures of one system; the trials are drawn once.

    Example:
        >>> scores = range(10, 30), range(0, 20)
        >>> low, high = Intervals(Trials(*scores)).of(EER)
        >>> 0.1 < low < 0.25 < high < 0.5
        True
    """

    def __init__(self, trials: Trials) -> None:
        self.trials = trials
        self.seen = trials.observed()
        self.drawn = trials.drawn()
        self._found: dict[Metric, Interval] = {}

    def of(self, metric: Metric) -> Interval | None:
        """The interval of a figure; None where there are too few clips or groups to say."""
        if self.too_few(metric):
            return None
        if metric not in self._found:
            self._found[metric] = self._interval(metric)
        return self._found[metric]

    def _interval(self, metric: Metric) -> Interval:
        size = trials_of(metric, self.trials.sizes)
        seen, drawn = float(metric.of(self.seen)[0]), metric.of(self.drawn)
        level = self.trials.how.level
        found = self._spread(metric, seen, drawn, 0.5 / size)

        few = min(seen, 1 - seen) * size < FEW_ERRORS or found.low == found.high
        if metric.kind == "errors" and few:
            exact = clopper_pearson(seen * size, size, level)
            if self.trials.how.groups is None:
                return exact
            return Interval(min(found.low, exact.low), max(found.high, exact.high))
        if metric.kind == "errors":
            return found
        return self._widened(metric, seen, found, size)

    def too_few(self, metric: Metric = EER) -> bool:
        """Whether there are too few clips of a class that counts, or too few groups."""
        sizes = dict(zip(("bonafide", "spoof"), self.trials.sizes, strict=True))
        counting = sizes.values() if metric.needs == "both" else [sizes[metric.needs]]
        few_groups = self.trials.how.groups is not None and (
            self.trials.num_groups < LEAST_GROUPS or self.trials.effective_groups < LEAST_EFFECTIVE
        )
        return min(counting) < LEAST_CLIPS or few_groups

    def _spread(self, metric: Metric, seen: float, drawn: Array, least: float) -> Interval:
        """Student's interval on the scale of log odds or logarithms."""
        odds = scipy.special.logit, scipy.special.expit
        scale, back = (np.log, np.exp) if metric.kind == "cost" else odds
        highest = metric.most if metric.kind == "cost" else 1 - least
        drawn, middle = scale(np.clip(drawn, least, highest)), scale(np.clip(seen, least, highest))
        groups = max(self.trials.effective_groups, LEAST_EFFECTIVE)
        reach = reach_of(drawn, groups, self.trials.how.level)
        low, high = back(middle - reach), back(middle + reach)
        return Interval(float(min(low, seen)), float(max(min(high, metric.most), seen)))

    def _widened(self, metric: Metric, seen: float, found: Interval, size: float) -> Interval:
        """With few errors: as if the most that chance can hide were mistaken beyond doubt."""
        rate = float(counted.eer(self.seen)[0]) if min(self.trials.sizes) else 0.0
        if min(rate, 1 - rate) * size >= FEW_ERRORS:
            return found
        share = clopper_pearson(rate * size, size, self.trials.how.level).high - rate
        worse = float(metric.of(_mistaken(self.seen, share))[0])
        return Interval(min(found.low, worse), max(found.high, worse))


def trials_of(metric: Metric, sizes: tuple[int, int]) -> float:
    """The number of trials that counts: of a class, or twice the harmonic mean of both."""
    bonafide, spoof = sizes
    if metric.needs != "both":
        return float(bonafide if metric.needs == "bonafide" else spoof)
    return 4 * bonafide * spoof / max(bonafide + spoof, 1)


def reach_of(drawn: Array, groups: float, level: float) -> float:
    """Half the width of Student's interval of a figure over resamples."""
    spread = float(np.std(drawn, ddof=1)) * np.sqrt(groups / (groups - 1))
    return float(students_quantile(level, groups - 1) * spread)


def students_quantile(level: float, freedom: float) -> float:
    """How many standard errors the interval of this level reaches to either side."""
    return float(scipy.special.stdtrit(freedom, (1 + level) / 2))


def _mistaken(counts: Counts, share: float) -> Counts:
    """The same, with a share of each class at the wrong end of the scores."""
    bonafide, spoof = ((1 - share) * next(each.tables())[0] for each in counts[:2])
    bonafide[0] += share * counts.bonafide.total[0]
    spoof[-1] += share * counts.spoof.total[0]
    return Counts.of_one(bonafide, spoof, counts.scores)


def bootstrap(
    bonafide: ArrayLike,
    spoof: ArrayLike,
    metric: Metric | Cost | str = "eer",
    how: Resampling | None = None,
) -> Interval | None:
    """The interval of one figure: 'eer', 'min_dcf', a cost, or a `Metric`; None with too few."""
    return Intervals(Trials(*both_classes(bonafide, spoof), how)).of(metric_of(metric))


def metric_of(metric: Metric | Cost | str) -> Metric:
    """A metric, or the one that is meant: 'eer', 'min_dcf', a cost."""
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, Cost):
        return cost_metric(metric)
    known = {"eer": EER, "min_dcf": cost_metric(dcf_cost())}
    if metric not in known:
        raise ValueError(
            f"no interval of {metric!r}; it must be 'eer', 'min_dcf', a Cost or Metric"
        )
    return known[metric]


def mean_interval(values: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """The interval of the mean of independent figures, from theirs (Zou and Donner, 2008)."""
    middle, (low, high) = np.array(values), np.array(intervals).T
    mean = middle.mean()
    return Interval(
        float(mean - np.sqrt(((middle - low) ** 2).sum()) / middle.size),
        float(mean + np.sqrt(((high - middle) ** 2).sum()) / middle.size),
    )


def source_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's interval of the mean of shares that sources give, on the scale of log odds.

    It is the interval of the mean of all such sources, not of these ones.
    """
    middle = float(np.mean(values))
    shares = np.clip([middle, *values], 1e-3, 1 - 1e-3)
    # The spread of the mean as it is, brought to log odds at the mean.
    spread = float(np.std(shares[1:], ddof=1)) / np.sqrt(len(values))
    quantile = students_quantile(level, len(values) - 1)
    reach = quantile * spread / (shares[0] * (1 - shares[0]))
    ends = scipy.special.logit(shares[0]) + np.array([-reach, reach])
    low, high = scipy.special.expit(ends)
    return Interval(float(min(low, middle)), float(max(high, middle)))
