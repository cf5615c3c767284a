"""Resamples as counts by score, kept as what each group has and how often it is drawn.

R resamples of G groups at M scores are two small tables, (R, G) and (G, M). Sums over the trials of
a resample, and how many lie below a score, follow from them without the table (R, M), which is
made only for the figures that need every score of every resample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from amsdf.metrics.detection import Array

Floats = NDArray[np.floating[Any]]
Places = NDArray[np.signedinteger[Any]]

#: Resamples that are looked at together, so that they stay in the processor's cache.
_ROWS = 32


@dataclass(frozen=True)
class ClassCounts:
    """The trials of one class: `drawn` (R, G) times the group is in, `cells` (G, M) that it has."""

    drawn: Floats
    cells: Floats

    @cached_property
    def total(self) -> Array:
        """How many trials each resample has, (R,)."""
        return self.drawn.astype(np.float64) @ self.cells.sum(axis=1, dtype=np.float64)

    def sum(self, worth: NDArray[Any]) -> Array:
        """What the trials are worth together, (M,) or (M, K) of a score -> (R,) or (R, K)."""
        return self.drawn.astype(np.float64) @ (self.cells.astype(np.float64) @ worth)

    def mean(self, worth: NDArray[Any]) -> Array:
        """The same of one trial, (M,) -> (R,)."""
        worth = np.clip(worth.astype(np.float64), -1e290, 1e290)  # sums of more would overflow
        return self.sum(worth) / self.total

    def share_below(self, place: Places) -> Array:
        """The share of the trials at the lowest `place` scores of each resample, (R,) -> (R,)."""
        below = np.einsum("rg,rg->r", self.drawn, self._below[place])
        return below.astype(np.float64) / self.total

    @cached_property
    def _below(self) -> Floats:
        """The trials of each group at the lowest 0, 1, …, M scores, (M + 1, G)."""
        sums = np.zeros((self.cells.shape[1] + 1, len(self.cells)), self.cells.dtype)
        np.cumsum(self.cells, axis=1, out=sums[1:].T)
        return sums

    def shares_below(self) -> Iterator[Array]:
        """The same for all places, (r, M + 1) of a few resamples at a time."""
        totals = (self.total[start : start + _ROWS, None] for start in count(0, _ROWS))
        below = self.summed(self._below.T)
        return (part / total for part, total in zip(below, totals, strict=False))

    def tables(self) -> Iterator[Array]:
        """How often each score occurs, (r, M) of a few resamples at a time."""
        return self.summed(self.cells)

    def summed(self, cells: Floats) -> Iterator[Array]:
        """What groups have, (G, K), summed over those of a resample: (r, K) of a few at a time.

        It is one product, because many small ones on several threads wait for each other.
        """
        whole = self.drawn @ cells
        starts = range(0, len(whole), _ROWS)
        return (whole[start : start + _ROWS].astype(np.float64) for start in starts)


class Counts(NamedTuple):
    """Both classes of R resamples at the scores (M,), ascending.

    Counts need not be whole: they may be weights.
    """

    bonafide: ClassCounts
    spoof: ClassCounts
    scores: Array

    @classmethod
    def of_one(cls, bonafide: Array, spoof: Array, scores: Array) -> Self:
        """A single set of trials with these counts (M,)."""
        once = np.ones((1, 1))
        return cls(ClassCounts(once, bonafide[None]), ClassCounts(once, spoof[None]), scores)

    def joined(self) -> Self:
        """The same with fewer places, apart only where a spoofed trial is below a bona fide one.

        Elsewhere no threshold is the best, and the best calibration gives both sides one value.
        """
        real, fake = (np.asarray(each.cells.any(axis=0)) for each in self[:2])
        filled = np.flatnonzero(real | fake)
        starts = filled[np.append(True, fake[filled[:-1]] & real[filled[1:]])]
        cells = (np.add.reduceat(each.cells, starts, axis=1) for each in self[:2])
        bonafide, spoof = (ClassCounts(self.bonafide.drawn, each) for each in cells)
        return type(self)(bonafide, spoof, self.scores[starts])
