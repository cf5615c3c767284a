"""Whether two detectors really differ: paired bootstrap tests on the same trials, by id."""

from collections.abc import Sequence
from itertools import combinations

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.evaluation import corpus_of, detector_of
from amsdf.fusion import aligned
from amsdf.metrics import PairedTest, paired_test
from amsdf.scoring.score_files import Scores
from amsdf.tables import Table


def compare(first: Scores, second: Scores) -> PairedTest:
    """EER of the first minus that of the second."""
    scores = aligned([first, second])
    labels = first.table["label"].to_numpy()
    real, fake = scores[labels == BONAFIDE], scores[labels == SPOOF]
    return paired_test((real[:, 0], fake[:, 0]), (real[:, 1], fake[:, 1]))


def comparison_table(scores: Sequence[Scores]) -> Table:
    """Every pair of detectors on every corpus that both were scored on."""
    rows = []
    for one, other in combinations(scores, 2):
        if corpus_of(one) != corpus_of(other) or not _both_classes(one):
            continue
        test = compare(one, other)
        difference = " ".join(
            f"{100 * value:+.2f}" for value in (test.difference, test.low, test.high)
        ).split()
        rows.append(
            (
                corpus_of(one),
                f"{detector_of(one)} - {detector_of(other)}",
                f"{difference[0]} [{difference[1]}, {difference[2]}]",
                f"{test.p_value:.3f}",
            )
        )
    header = ("corpus", "detectors", "difference", "p")
    return Table(
        "Differences of the EER (percentage points), paired bootstrap", header, tuple(rows)
    )


def _both_classes(scores: Scores) -> bool:
    return {BONAFIDE, SPOOF} <= set(scores.table["label"].to_list())
