"""Whether two detectors really differ: paired tests on the same trials, by id."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.evaluation.fusion import aligned_scores
from amsdf.evaluation.results import ResultSettings
from amsdf.metrics import PairedTest, Resampling, holm, paired_test
from amsdf.scoring.score_files import Scores, class_scores, corpus_of, detector_of
from amsdf.scoring.units import unit_of


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
    groups = unit_of(first, settings.resample).groups
    how = Resampling(max(settings.rounds, 2), settings.seed, groups)
    return paired_test((real[:, 0], fake[:, 0]), (real[:, 1], fake[:, 1]), how=how)


def compare_all(
    scores: Sequence[Scores], settings: ResultSettings | None = None
) -> list[Comparison]:
    """Every pair of detectors on every corpus that both were scored on, corrected together."""
    settings = settings or ResultSettings()
    found = [
        _comparison(one, other, settings)
        for one, other in combinations(scores, 2)
        if corpus_of(one) == corpus_of(other) and all(map(len, class_scores(one)))
    ]
    corrected = iter(holm([each.test.p_value for each in found if each.test]))
    return [replace(each, corrected=next(corrected)) if each.test else each for each in found]


def _comparison(one: Scores, other: Scores, settings: ResultSettings) -> Comparison:
    """Scores of other trials cannot be compared; that is no reason to lose the rest."""
    names = detector_of(one), detector_of(other)
    try:
        test = compare(one, other, settings)
    except ValueError:
        return Comparison(corpus_of(one), names, None, "not the same trials")
    return Comparison(corpus_of(one), names, test, unit_of(one, settings.resample).text)
