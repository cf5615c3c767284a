"""One score table to its result: every figure with its interval.

Rates are fractions here; `amsdf.report.tables` prints percent. Polarity is never repaired: a
detector that ranks fakes above real recordings shows an EER above 50 % and gets a warning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from amsdf.evaluation.figures import Estimate, Given, estimates, known_figures
from amsdf.metrics import Resampling, eer
from amsdf.metrics.detection import mean
from amsdf.scoring.score_files.table import Scores, class_scores, corpus_of, detector_of
from amsdf.scoring.score_files.units import AUTO, unit_of


@dataclass(frozen=True)
class ResultSettings:
    """How results are computed: the same settings give the same numbers everywhere."""

    #: Names of `FIGURES`; without any, all of them.
    figures: Sequence[str] = ()
    #: What is drawn whole for intervals and tests: `auto`, `clip`, or a column.
    resample: str = AUTO
    #: Resamples of each interval; 0 leaves intervals out.
    rounds: int = 400
    seed: int = 0
    #: Which threshold of a calibration decides.
    threshold: str | None = None
    #: Pool corpora too that a detector has seen, in whole or in part.
    pool_all: bool = False


@dataclass(frozen=True)
class Result:
    """One detector on one corpus. Figures that the trials do not allow are absent."""

    detector: str
    corpus: str
    num_bonafide: int
    num_spoof: int
    num_unlabelled: int
    mean_score: float
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    #: What was drawn for the intervals, or why there are none.
    unit: str = ""
    #: Where the threshold of `frr`, `far`, `accuracy` and `f1` was chosen.
    cut: str = ""
    #: The EER threshold of this very set; a trial is accepted when score > threshold.
    threshold: float | None = None
    #: Spoof trials that score exactly as some bona fide trial does.
    num_ties: int | None = None
    #: What the detector has seen of this set: `seen`, `same speakers`, `same corpus`, or nothing.
    overlap: str = ""
    #: Whether the detector's calibration was fitted on this set.
    calibrated_on: bool = False

    def value(self, name: str) -> float | None:
        """A figure without its interval; None where there is none."""
        return self.figures[name].value if name in self.figures else None

    @property
    def eer(self) -> float | None:
        """The equal error rate, by the official definition."""
        return self.value("eer")

    @property
    def inverted(self) -> bool:
        """Whether fakes score higher than real recordings, beyond what chance explains.

        Equal scores alone can push the official EER above a half.
        """
        found = self.figures.get("eer")
        return found is not None and (found.low or 0) > 0.5 and (self.value("auc") or 0) < 0.5


def eer_of(scores: Scores) -> float | None:
    """The EER of a table alone; None without both classes."""
    real, fake = class_scores(scores)
    return eer(real, fake).rate if len(real) and len(fake) else None


def result_of(
    scores: Scores, given: Given | None = None, settings: ResultSettings | None = None
) -> Result:
    """The figures of one score table, labelled or not.

    Args:
        scores: of one detector on one corpus.
        given: speaker verification scores, the threshold that decides, the calibration.
        settings: which figures, and how their intervals are drawn.
    """
    given, settings = given or Given(), settings or ResultSettings()
    real, fake = classes = class_scores(scores)
    both = bool(len(real) and len(fake))
    unit = unit_of(scores, settings.resample)
    how = Resampling(settings.rounds, settings.seed, unit.groups) if settings.rounds else None
    names = {*known_figures(settings.figures), "eer", "eer_collapsed", "frr", "far"}
    unasked = {"auc"} - names  # tells which way round scores are; nobody sees its interval
    calibration = given.calibration
    digest = scores.header.get("manifest_hash", "")
    return Result(
        detector=detector_of(scores),
        corpus=corpus_of(scores),
        num_bonafide=len(real),
        num_spoof=len(fake),
        num_unlabelled=scores.table["label"].null_count(),
        mean_score=mean(scores.table["score"].to_numpy()),
        figures={
            **estimates(classes, given, sorted(names), how),
            **estimates(classes, given, sorted(unasked), None),
        },
        unit=unit.text if how else "",
        cut=given.cut.origin if given.cut else "",
        threshold=eer(real, fake).threshold if both else None,
        num_ties=int(np.isin(fake, real).sum()) if both else None,
        overlap=scores.header.get("overlap", ""),
        calibrated_on=calibration is not None and calibration.fitted_on_manifest(digest),
    )
