"""Bootstrap intervals and paired tests, by utterance or by group (speaker, attack).

Resampling draws trials, or whole groups of them, with replacement. The trials are sorted once: what
depends on the DET curve alone needs no more of a draw than how many trials fall into each run of
neighbours of one class. The numbers are exactly those of sorting every resample anew.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsdf.metrics.detection import Array, Cost, both_classes, cost_curve, dcf_cost

Index = NDArray[np.int64]
#: 'eer', 'min_dcf', a cost such as `tdcf_cost(asv, "2021")`, or any function of two score arrays.
Metric = str | Cost | Callable[[Array, Array], float]
Statistic = Callable[[Index, Index], float]


@dataclass(frozen=True)
class Resampling:
    """How to draw.

    `groups` names the group of each bona fide and of each spoofed trial: groups are drawn whole,
    and one that is in both classes brings its trials of both. A class given None is drawn by
    utterance. So by speaker `(speakers_bonafide, speakers_spoof)`, by attack `(None, attacks)`.
    """

    rounds: int = 1000
    seed: int = 0
    groups: tuple[Sequence[object] | None, Sequence[object] | None] | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"bootstrap of {self.rounds} rounds: it needs at least 1")
        if not 0 < self.level < 1:
            raise ValueError(f"interval of level {self.level}: it must be between 0 and 1")


class Interval(NamedTuple):
    """Bounds of a percentile interval."""

    low: float
    high: float


class PairedTest(NamedTuple):
    """First minus second system on the same trials, its interval, and a two-sided p value."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap(
    bonafide: ArrayLike,
    spoof: ArrayLike,
    metric: Metric = "eer",
    how: Resampling | None = None,
) -> Interval:
    """Percentile bootstrap interval of a metric."""
    how = how or Resampling()
    return _interval(bootstrap_values(bonafide, spoof, metric, how), how.level)


def bootstrap_values(
    bonafide: ArrayLike,
    spoof: ArrayLike,
    metric: Metric = "eer",
    how: Resampling | None = None,
) -> Array:
    """The metric on every resample (rounds,)."""
    how = how or Resampling()
    bonafide, spoof = both_classes(bonafide, spoof)
    statistic = _statistic(bonafide, spoof, metric)
    drawn = draws(bonafide.size, spoof.size, how)
    return np.array([statistic(*indices) for indices in drawn])


def paired_test(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    metric: Metric = "eer",
    how: Resampling | None = None,
) -> PairedTest:
    """Whether two systems differ, by resampling the same trials for both.

    Args:
        first: Bona fide and spoof scores of one system.
        second: Those of the other, trial by trial in the same order.
        metric: What to compare.
        how: How to draw.
    """
    how = how or Resampling()
    scores = [both_classes(*system) for system in (first, second)]
    sizes = [(bonafide.size, spoof.size) for bonafide, spoof in scores]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"paired test: one system has {sizes[0]} bona fide and spoof scores, the other "
            f"{sizes[1]}; both must score the same trials"
        )
    one, other = (_statistic(*system, metric) for system in scores)
    everything = np.arange(sizes[0][0]), np.arange(sizes[0][1])
    gaps = np.array([one(*drawn) - other(*drawn) for drawn in draws(*sizes[0], how)])
    rarer = min(np.sum(gaps <= 0), np.sum(gaps >= 0))
    p_value = min(1.0, 2 * float(rarer + 1) / (how.rounds + 1))
    observed = one(*everything) - other(*everything)
    return PairedTest(observed, *_interval(gaps, how.level), p_value)


def draws(num_bonafide: int, num_spoof: int, how: Resampling) -> Iterator[tuple[Index, Index]]:
    """Indices of the bona fide and of the spoofed trials of each resample."""
    generator = np.random.default_rng(how.seed)
    if how.groups is None:
        draw = _by_utterance(num_bonafide, num_spoof)
    else:
        draw = _by_group(num_bonafide, num_spoof, how.groups)
    for _ in range(how.rounds):
        bonafide, spoof = draw(generator)
        while not (bonafide.size and spoof.size):  # whole groups may leave a class without trials
            bonafide, spoof = draw(generator)
        yield bonafide, spoof


_Draw = Callable[[np.random.Generator], tuple[Index, Index]]


def _by_utterance(num_bonafide: int, num_spoof: int) -> _Draw:
    def draw(generator: np.random.Generator) -> tuple[Index, Index]:
        return (
            generator.integers(num_bonafide, size=num_bonafide),
            generator.integers(num_spoof, size=num_spoof),
        )

    return draw


def _by_group(
    num_bonafide: int,
    num_spoof: int,
    groups: tuple[Sequence[object] | None, Sequence[object] | None],
) -> _Draw:
    for kind, size, given in zip(
        ("bona fide", "spoof"), (num_bonafide, num_spoof), groups, strict=True
    ):
        if given is not None and len(given) != size:
            raise ValueError(f"{len(given)} groups for {size} {kind} scores; each needs one")
    named = [np.asarray(given, dtype=str) for given in groups if given is not None]
    if not named:
        return _by_utterance(num_bonafide, num_spoof)
    names, member = np.unique(np.concatenate(named), return_inverse=True)
    members = iter(np.split(member, [named[0].size]))
    group_of = [None if given is None else next(members) for given in groups]

    def draw(generator: np.random.Generator) -> tuple[Index, Index]:
        counts = np.bincount(generator.integers(names.size, size=names.size), minlength=names.size)
        bonafide, spoof = (
            generator.integers(size, size=size)
            if group is None
            else np.repeat(np.arange(size), counts[group])
            for size, group in zip((num_bonafide, num_spoof), group_of, strict=True)
        )
        return bonafide, spoof

    return draw


def _statistic(bonafide: Array, spoof: Array, metric: Metric) -> Statistic:
    if callable(metric):
        function = metric
        return lambda in_bonafide, in_spoof: float(function(bonafide[in_bonafide], spoof[in_spoof]))
    curve = _SortedOnce(bonafide, spoof)
    if metric == "eer":
        return curve.eer
    if metric == "min_dcf":
        metric = dcf_cost()
    if not isinstance(metric, Cost):
        raise ValueError(f"no bootstrap metric {metric!r}; it must be 'eer', 'min_dcf' or a Cost")
    cost = metric
    return lambda in_bonafide, in_spoof: curve.min_cost(in_bonafide, in_spoof, cost)


class _SortedOnce:
    """Two classes in the official order, cut into runs: some spoofs, then some bona fide."""

    def __init__(self, bonafide: Array, spoof: Array) -> None:
        order = np.argsort(np.concatenate([bonafide, spoof]), kind="stable")
        is_spoof = order >= bonafide.size
        starts = np.append(False, is_spoof[1:] & ~is_spoof[:-1])
        run = np.empty(order.size, np.intp)
        run[order] = np.cumsum(starts)
        self.run_of_bonafide, self.run_of_spoof = np.split(run, [bonafide.size])
        self.num_runs = int(starts.sum()) + 1

    def _rejected(self, in_bonafide: Index, in_spoof: Index) -> tuple[Index, Index]:
        """How many bona fide and spoofs of a draw are rejected with each run (runs,)."""
        bonafide = np.bincount(self.run_of_bonafide[in_bonafide], minlength=self.num_runs)
        spoof = np.bincount(self.run_of_spoof[in_spoof], minlength=self.num_runs)
        return np.cumsum(bonafide), np.cumsum(spoof)

    def min_cost(self, in_bonafide: Index, in_spoof: Index, cost: Cost) -> float:
        """The least cost of a draw; it is where the spoofs of a run have just been rejected."""
        bonafide, spoof = self._rejected(in_bonafide, in_spoof)
        before = np.concatenate([[0], bonafide[:-1]])
        far = (in_spoof.size - spoof) / in_spoof.size
        return float(cost_curve(cost, before / in_bonafide.size, far).min())

    def eer(self, in_bonafide: Index, in_spoof: Index) -> float:
        """The EER of a draw; FRR and FAR cross within one run, whose steps are all looked at."""
        bonafide, spoof = self._rejected(in_bonafide, in_spoof)
        size_b, size_s = in_bonafide.size, in_spoof.size
        crossed = bonafide / size_b - (size_s - spoof) / size_s >= 0
        run = int(np.argmax(crossed))
        first_b, first_s = (int(c[run - 1]) if run else 0 for c in (bonafide, spoof))
        steps_s, steps_b = int(spoof[run]) - first_s, int(bonafide[run]) - first_b
        rejected_s = np.minimum(first_s + np.arange(steps_s + steps_b + 1), spoof[run])
        rejected_b = np.maximum(first_b + np.arange(steps_s + steps_b + 1) - steps_s, first_b)
        frr, far = rejected_b / size_b, (size_s - rejected_s) / size_s
        nearest = int(np.argmin(np.abs(frr - far)))
        return float((frr[nearest] + far[nearest]) / 2)


def _interval(values: Array, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
