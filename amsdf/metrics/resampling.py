"""Resampling of scored trials, by clip or by group (speaker, source), as counts by score.

A resample is not a list of scores: it is how often each score occurs (R resamples, M scores). All
figures follow from these counts, so the cost does not depend on the number of trials. Above a few
thousand distinct scores, neighbours share a place; the tails, where the mistakes of a good detector
are, keep theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amsdf.metrics.counts import ClassCounts, Counts, Floats
from amsdf.metrics.detection import Array, class_scores

Index = NDArray[np.int64]
#: The name of the group of each bona fide and of each spoofed trial.
Names = Sequence[object] | NDArray[Any]
Groups = tuple[Names | None, Names | None]

#: More groups than this are joined at random into as many; more scores share places.
_MOST_GROUPS = 2000
_MOST_PLACES = 2048
_TAIL = 512
#: Fewer whole numbers than this add up exactly in 32 bits, also where one is drawn twice.
_MOST_WHOLE = 1 << 23


@dataclass(frozen=True)
class Resampling:
    """How to draw.

    `groups` names the group of each bona fide and of each spoofed trial: groups are drawn whole,
    and one that is in both classes brings its trials of both. A trial whose group is None is a
    group of its own, and so is every trial of a class that is given None. So by speaker
    `(speakers_bonafide, speakers_spoof)`, by attack `(None, attacks)`.
    """

    rounds: int = 400
    seed: int = 0
    groups: Groups | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.rounds < 2:
            raise ValueError(f"bootstrap of {self.rounds} rounds: it needs at least 2")
        if not 0 < self.level < 1:
            raise ValueError(f"interval of level {self.level}: it must be between 0 and 1")


class Trials:
    """The trials of one system, ready to be counted and drawn; a class may be empty.

    Args:
        bonafide: Scores (Nb,).
        spoof: Scores (Ns,).
        how: How to draw; the same seed and groups draw the same trials of any system.
        cuts: Thresholds that figures are asked at; no place has scores on both sides of one.
        weights: What each spoofed trial counts (Ns,), where they do not count alike.
    """

    def __init__(
        self,
        bonafide: ArrayLike,
        spoof: ArrayLike,
        how: Resampling | None = None,
        cuts: Sequence[float] = (),
        weights: Array | None = None,
    ) -> None:
        self.how = how or Resampling()
        given = ("bona fide", bonafide), ("spoof", spoof)
        classes = [class_scores(s, kind) if np.size(s) else np.zeros(0) for kind, s in given]
        self.sizes = classes[0].size, classes[1].size
        edges = _edges(classes[0], classes[1], cuts)
        places = [np.searchsorted(edges, scores) for scores in classes]
        self._scores = _mean_scores(classes, places, edges)
        grouping = _grouped(self.sizes, self.how)
        self._stratum = grouping.stratum
        self.num_groups, self.effective_groups = grouping.number, grouping.effective
        shape = self._stratum.size, self._scores.size
        whole = weights is None and sum(self.sizes) < _MOST_WHOLE
        kind: type[np.floating[Any]] = np.float32 if whole else np.float64
        self._cells: list[Floats] = [
            np.bincount(group * shape[1] + place, worth, shape[0] * shape[1])
            .reshape(shape)
            .astype(kind)
            for group, place, worth in zip(grouping.group, places, (None, weights), strict=True)
        ]

    def observed(self) -> Counts:
        """All trials once."""
        bonafide, spoof = (cells.sum(axis=0, dtype=np.float64) for cells in self._cells)
        return Counts.of_one(bonafide, spoof, self._scores)

    def drawn(self) -> Counts:
        """The resamples; those that lack a class are left out."""
        drawn = _weights(self._stratum, self.how)
        for cells, size in zip(self._cells, self.sizes, strict=True):
            if size:
                drawn = drawn[drawn @ cells.any(axis=1) > 0]
        drawn = drawn.astype(self._cells[0].dtype)
        bonafide, spoof = (ClassCounts(drawn, cells) for cells in self._cells)
        return Counts(bonafide, spoof, self._scores)


def _edges(bonafide: Array, spoof: Array, cuts: Sequence[float]) -> Array:
    """Upper ends (M,) of the places: every score, or the tails' and quantiles of the rest."""
    everything = np.concatenate([bonafide, spoof])
    edges = np.unique(everything)
    if edges.size > _MOST_PLACES:
        inner = edges[np.linspace(0, edges.size - 1, _MOST_PLACES - 2 * _TAIL).astype(int)]
        edges = np.concatenate([np.sort(bonafide)[:_TAIL], np.sort(spoof)[-_TAIL:], inner])
    inside = [cut for cut in cuts if edges.size and cut < edges.max()]
    return np.unique(np.append(edges, inside))


def _mean_scores(classes: Sequence[Array], places: Sequence[Index], edges: Array) -> Array:
    """The mean score (M,) of the trials at each place; its upper end where there is none."""
    place, scores = np.concatenate(places), np.concatenate(classes)
    count = np.bincount(place, minlength=edges.size)
    offset = np.bincount(place, weights=scores - edges[place], minlength=edges.size)
    return edges + offset / np.maximum(count, 1)


def effective_number(sizes: ArrayLike) -> float:
    """How many groups of one size say as much as groups of these sizes (Kish, 1965)."""
    counts = np.asarray(sizes, np.float64)
    return float(counts.sum() ** 2 / (counts**2).sum()) if counts.size else 0.0


class _Grouping(NamedTuple):
    """The group of each trial of both classes, and the stratum of each group.

    Groups of bona fide trials alone, of spoofs alone and of both are drawn apart, so a resample has
    as many of each as there are.
    """

    group: list[Index]
    stratum: Index
    #: How many groups there are in the class with fewer; by clip, all clips count.
    number: int
    effective: float


def _grouped(sizes: tuple[int, int], how: Resampling) -> _Grouping:
    numbered = _numbered(sizes, how.groups or (None, None))
    unique, member = np.unique(np.concatenate(numbered), return_inverse=True)
    group = np.split(member, [sizes[0]])
    counts = [np.bincount(which, minlength=unique.size) for which in group]
    stratum = (counts[0] > 0) + 2 * (counts[1] > 0) - 1
    number, effective = sum(sizes), float(sum(sizes))
    if how.groups is not None:
        found = [each[each > 0] for each in counts if each.any()]
        number = min((each.size for each in found), default=0)
        effective = min(map(effective_number, found), default=0.0)

    if unique.size <= _MOST_GROUPS:
        return _Grouping(group, stratum, number, effective)
    generator = np.random.default_rng(how.seed)
    joined = generator.permutation(unique.size) % (_MOST_GROUPS // 3) + stratum * _MOST_GROUPS
    kept, joined = np.unique(joined, return_inverse=True)
    group = [joined[which] for which in group]
    return _Grouping(group, kept // _MOST_GROUPS, number, effective)


def _numbered(sizes: tuple[int, int], groups: Groups) -> list[Index]:
    """A number for each trial's group (N,), the same in both classes for the same name."""
    for kind, size, given in zip(("bona fide", "spoof"), sizes, groups, strict=True):
        if given is not None and len(given) != size:
            raise ValueError(f"{len(given)} groups for {size} {kind} scores; each needs one")
    named = dict.fromkeys(name for given in groups if given is not None for name in given)
    named.pop(None, None)
    start = sum(sizes)  # a trial without a name has the number of its row
    number = dict(zip(named, range(start, start + len(named)), strict=True))
    numbers = []
    for size, first, given in zip(sizes, (0, sizes[0]), groups, strict=True):
        own = np.arange(first, first + size)
        if given is not None:
            found = np.fromiter(map(number.get, given, repeat(-1)), np.int64, size)
            own = np.where(found < 0, own, found)
        numbers.append(own)
    return numbers


def _weights(stratum: Index, how: Resampling) -> NDArray[np.float32]:
    """How often each group is drawn (R, G): in each stratum as many as it has."""
    generator = np.random.default_rng(how.seed)
    weights = np.zeros((how.rounds, stratum.size), np.float32)
    for which in np.unique(stratum):
        places = np.flatnonzero(stratum == which)
        chosen = generator.integers(places.size, size=(how.rounds, places.size))
        rows = np.arange(how.rounds)[:, None] * places.size
        counts = np.bincount((chosen + rows).ravel(), minlength=how.rounds * places.size)
        weights[:, places] = counts.reshape(how.rounds, places.size)
    return weights
