"""Paired tests of two systems on the same trials, from the same resamples of both."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from amsdf.metrics.detection import Array, Cost, both_classes
from amsdf.metrics.intervals import (
    LEAST_EFFECTIVE,
    Intervals,
    Metric,
    metric_of,
    reach_of,
    students_quantile,
    trials_of,
)
from amsdf.metrics.resampling import Resampling, Trials


class PairedTest(NamedTuple):
    """First minus second system on the same trials, its interval, and a two-sided p value."""

    difference: float
    low: float
    high: float
    p_value: float


def paired_test(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    metric: Metric | Cost | str = "eer",
    how: Resampling | None = None,
) -> PairedTest | None:
    """Whether two systems differ, by resampling the same trials for both; None with too few.

    Args:
        first: Bona fide and spoof scores of one system.
        second: Those of the other, trial by trial in the same order.
        metric: What to compare.
        how: How to draw.
    """
    one, other = (
        resampled(Intervals(Trials(*both_classes(*system), how)), metric)
        for system in (first, second)
    )
    return difference(one, other)


class Resampled(NamedTuple):
    """A figure of one system: of its trials, and of each resample (R,); all that tests need."""

    seen: float
    drawn: Array
    sizes: tuple[int, int]
    #: How many trials count; None where there are too few clips or groups to say.
    size: float | None
    groups: float
    level: float


def resampled(intervals: Intervals, metric: Metric | Cost | str = "eer") -> Resampled:
    """The figure of a system, to be compared with that of others on the same trials."""
    metric, trials = metric_of(metric), intervals.trials
    few, size = intervals.too_few(), trials_of(metric, trials.sizes)
    return Resampled(
        float(metric.of(intervals.seen)[0]),
        np.zeros(0) if few else metric.of(intervals.drawn),
        trials.sizes,
        None if few else size,
        max(trials.effective_groups, LEAST_EFFECTIVE),
        trials.how.level,
    )


def difference(one: Resampled, other: Resampled) -> PairedTest | None:
    """`paired_test` of figures that were drawn from the same trials; None with too few."""
    if one.sizes != other.sizes:
        raise ValueError(
            f"paired test: one system has {one.sizes} bona fide and spoof scores, the other "
            f"{other.sizes}; both must score the same trials"
        )
    if one.size is None:
        return None
    observed, gaps = one.seen - other.seen, one.drawn - other.drawn
    gaps = np.append(gaps, np.array([-0.5, 0.5]) / one.size + gaps.mean())

    quantile = students_quantile(one.level, one.groups - 1)
    reach = reach_of(gaps, one.groups, one.level)
    p_value = float(2 * scipy.special.stdtr(one.groups - 1, -abs(observed) / (reach / quantile)))
    return PairedTest(observed, observed - reach, observed + reach, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for the number of tests (Holm, 1979), in the order given."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.minimum(1, np.maximum.accumulate(np.array(p_values)[order] * factors))
    found = np.empty(len(p_values))
    found[order] = corrected
    return [float(value) for value in found]
