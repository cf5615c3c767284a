"""Whether two detectors really differ: paired bootstrap tests on the same trials, by id."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.evaluation.fusion import aligned_scores
from amsdf.metrics import PairedTest, paired_test
from amsdf.scoring.score_files import Scores, corpus_of, detector_of


@dataclass(frozen=True)
class Comparison:
    """Two detectors on one corpus: `test` is of the EER of the first minus that of the second."""

    corpus: str
    detectors: tuple[str, str]
    test: PairedTest


def compare(first: Scores, second: Scores) -> PairedTest:
    """EER of the first minus that of the second."""
    scores = aligned_scores([first, second])
    labels = first.table["label"].to_numpy()
    real, fake = scores[labels == BONAFIDE], scores[labels == SPOOF]
    return paired_test((real[:, 0], fake[:, 0]), (real[:, 1], fake[:, 1]))


def compare_all(scores: Sequence[Scores]) -> list[Comparison]:
    """Every pair of detectors on every corpus that both were scored on."""
    return [
        Comparison(corpus_of(one), (detector_of(one), detector_of(other)), compare(one, other))
        for one, other in combinations(scores, 2)
        if corpus_of(one) == corpus_of(other) and _both_classes(one)
    ]


def _both_classes(scores: Scores) -> bool:
    return {BONAFIDE, SPOOF} <= set(scores.table["label"].to_list())
