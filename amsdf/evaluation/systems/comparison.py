"""Whether two detectors really differ: paired tests on the same trials, by id."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import polars as pl

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.evaluation.results import ResultSettings
from amsdf.evaluation.systems.fusion import aligned_scores
from amsdf.metrics import (
    Intervals,
    PairedTest,
    Resampled,
    Resampling,
    Trials,
    difference,
    holm,
    paired_test,
    resampled,
)
from amsdf.scoring.score_files.table import Scores, class_scores, corpus_of, detector_of
from amsdf.scoring.score_files.units import unit_of


@dataclass(frozen=True)
class Comparison:
    """Two detectors on one corpus: `test` is of the EER of the first minus that of the second."""

    corpus: str
    detectors: tuple[str, str]
    #: None where there are too few clips or speakers to say.
    test: PairedTest | None
    #: What was drawn, or why there is no test.
    unit: str
    #: The p value corrected for all tests that were made together (Holm).
    corrected: float | None = None


def compare(
    first: Scores, second: Scores, settings: ResultSettings | None = None
) -> PairedTest | None:
    """EER of the first minus that of the second, by speaker or source where they are known."""
    settings = settings or ResultSettings()
    scores = aligned_scores([first, second])
    labels = first.table["label"].to_numpy()
    real, fake = scores[labels == BONAFIDE], scores[labels == SPOOF]
    how = _resampling(first, settings)
    return paired_test((real[:, 0], fake[:, 0]), (real[:, 1], fake[:, 1]), how=how)


def _resampling(scores: Scores, settings: ResultSettings) -> Resampling:
    groups = unit_of(scores, settings.resample).groups
    return Resampling(max(settings.rounds, 2), settings.seed, groups)


def compare_all(
    scores: Sequence[Scores], settings: ResultSettings | None = None
) -> list[Comparison]:
    """Every pair of detectors on every corpus that both were scored on, corrected together."""
    settings = settings or ResultSettings()
    tables = _tables_of(scores, settings)
    found = [
        _comparison(one, other)
        for one, other in combinations(tables, 2)
        if one.corpus == other.corpus and one.has_both
    ]
    corrected = iter(holm([each.test.p_value for each in found if each.test]))
    return [replace(each, corrected=next(corrected)) if each.test else each for each in found]


@dataclass(frozen=True)
class _Table:
    """A score table; those of one number have the same trials in the same order."""

    scores: Scores
    settings: ResultSettings
    number: int
    corpus: str

    @cached_property
    def has_both(self) -> bool:
        """Whether it has trials of both classes."""
        return all(map(len, class_scores(self.scores)))

    @cached_property
    def eer(self) -> Resampled:
        """The EER and how it varies: resampled once, whatever it is compared with."""
        how = _resampling(self.scores, self.settings)
        return resampled(Intervals(Trials(*class_scores(self.scores), how)))

    @cached_property
    def unit(self) -> str:
        """What is drawn."""
        return unit_of(self.scores, self.settings.resample).text


def _tables_of(scores: Sequence[Scores], settings: ResultSettings) -> list[_Table]:
    known: dict[str, list[tuple[int, pl.DataFrame]]] = {}
    tables = []
    for place, each in enumerate(scores):
        corpus, trials = corpus_of(each), each.table.drop("score")
        alike = (number for number, other in known.get(corpus, []) if trials.equals(other))
        number = next(alike, place)
        if number == place:
            known.setdefault(corpus, []).append((place, trials))
        tables.append(_Table(each, settings, number, corpus))
    return tables


def _comparison(one: _Table, other: _Table) -> Comparison:
    """Scores of other trials cannot be compared; that is no reason to lose the rest."""
    names = detector_of(one.scores), detector_of(other.scores)
    if one.number == other.number:
        return Comparison(one.corpus, names, difference(one.eer, other.eer), one.unit)
    try:
        test = compare(one.scores, other.scores, one.settings)
    except ValueError:
        return Comparison(one.corpus, names, None, "not the same trials")
    return Comparison(one.corpus, names, test, one.unit)
