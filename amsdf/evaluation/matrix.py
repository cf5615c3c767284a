"""Every detector on every corpus, and over the corpora that all detectors share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from amsdf.evaluation.figures import Cut, Estimate, Given
from amsdf.evaluation.results import Result, ResultSettings, result_of
from amsdf.metrics import AsvScores, Interval, eer, mean_interval, source_interval
from amsdf.metrics.intervals import LEAST_GROUPS
from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.score_files.table import Scores, class_scores, corpus_of, detector_of
from amsdf.scoring.score_files.units import pool

Tables = Mapping[tuple[str, str], Scores]


@dataclass(frozen=True)
class Matrix:
    """All results, by detector and corpus, and the score tables they came from."""

    detectors: tuple[str, ...]
    corpora: tuple[str, ...]
    cells: Mapping[tuple[str, str], Result]
    #: Per detector: all trials of the `shared` corpora in one EER, empty below two corpora.
    pooled: Mapping[str, Result]
    #: Per detector: the mean EER over the `shared` corpora that have both classes.
    macro: Mapping[str, Estimate]
    #: The corpora that every detector was scored on, without those that one of them has seen.
    shared: tuple[str, ...]
    #: Corpora that are not pooled because a detector has seen them, in whole or in part.
    left_out: tuple[str, ...]
    #: Per detector: the threshold that decides on all corpora.
    cuts: Mapping[str, Cut]
    #: Per detector: what gives its scores a meaning, where it has one.
    calibrations: Mapping[str, Calibration]
    settings: ResultSettings
    scores: Tables = field(repr=False)


def matrix(
    scores: Sequence[Scores],
    asv: Mapping[str, AsvScores] | None = None,
    calibrations: Mapping[str, Calibration] | None = None,
    settings: ResultSettings | None = None,
) -> Matrix:
    """All results of some score tables.

    Args:
        scores: one table for each pair, in the order in which they are to be shown.
        asv: corpus name to its speaker verification scores.
        calibrations: detector name to its calibration.
        settings: which figures, how intervals are drawn, what is pooled.
    """
    asv, calibrations, settings = asv or {}, calibrations or {}, settings or ResultSettings()
    tables = _by_pair(scores)
    detectors = tuple(dict.fromkeys(detector for detector, _ in tables))
    corpora = tuple(dict.fromkeys(corpus for _, corpus in tables))
    everywhere = [c for c in corpora if all((d, c) in tables for d in detectors)]
    left_out = [] if settings.pool_all else [c for c in everywhere if _is_known(tables, c)]
    shared = tuple(c for c in everywhere if c not in left_out)
    pools = {
        d: pool([tables[d, c] for c in shared], settings.resample)
        for d in detectors
        if len(shared) > 1
    }
    cuts = {
        detector: _cut(detector, tables, pools, calibrations.get(detector), settings)
        for detector in detectors
    }

    def result(table: Scores, corpus: str = "") -> Result:
        detector = detector_of(table)
        calibration, cut = calibrations.get(detector), cuts.get(detector)
        if calibration and calibration.fitted_on_manifest(table.header.get("manifest_hash", "")):
            cut = None  # what was chosen on these very trials says nothing about them
        return result_of(table, Given(asv.get(corpus), cut, calibration), settings)

    cells = {(d, c): result(table, c) for (d, c), table in tables.items()}
    return Matrix(
        detectors=detectors,
        corpora=corpora,
        cells=cells,
        pooled={detector: result(table) for detector, table in pools.items()},
        macro=_means(detectors, shared, cells),
        shared=shared,
        left_out=tuple(left_out),
        cuts={name: cut for name, cut in cuts.items() if cut is not None},
        calibrations=calibrations,
        settings=settings,
        scores=tables,
    )


def _by_pair(scores: Sequence[Scores]) -> dict[tuple[str, str], Scores]:
    if not scores:
        raise ValueError("no score tables to evaluate; give a folder that holds score files")
    tables: dict[tuple[str, str], Scores] = {}
    for table in scores:
        pair = detector_of(table), corpus_of(table)
        if pair in tables:
            raise ValueError(
                f"detector {pair[0]!r} has two score tables for {pair[1]!r}; "
                "keep one, or give the detectors different names"
            )
        tables[pair] = table
    return tables


def _is_known(tables: Tables, corpus: str) -> bool:
    """Whether one of the detectors has seen something of a corpus."""
    return any(table.header.get("overlap") for (_, c), table in tables.items() if c == corpus)


def _cut(
    detector: str,
    tables: Tables,
    pools: Mapping[str, Scores],
    calibration: Calibration | None,
    settings: ResultSettings,
) -> Cut | None:
    """The one threshold of a detector: that of its calibration, else the EER threshold of all."""
    if calibration is not None:
        return Cut(calibration.threshold(settings.threshold or "eer"), "dev")
    own = [table for (name, _), table in tables.items() if name == detector]
    real, fake = class_scores(pools.get(detector) or pool(own))
    if not len(real) or not len(fake):
        return None
    words = "these trials" if len(own) == 1 else "all these corpora"
    return Cut(eer(real, fake).threshold, f"the EER of {words}")


def _means(
    detectors: Sequence[str], shared: Sequence[str], cells: Mapping[tuple[str, str], Result]
) -> dict[str, Estimate]:
    """The mean over corpora: each is a source, where there are enough to say how sources differ."""
    means = {}
    for detector in detectors:
        results = [cells[detector, corpus] for corpus in shared]
        found = [result.figures["eer"] for result in results if "eer" in result.figures]
        if len(found) < 2:
            continue
        values = [each.value for each in found]
        if len(found) >= LEAST_GROUPS:
            means[detector] = Estimate(float(np.mean(values)), *source_interval(values))
            continue
        known = [
            Interval(each.low, each.high)
            for each in found
            if each.low is not None and each.high is not None
        ]
        interval = mean_interval(values, known) if len(known) == len(found) else ()
        means[detector] = Estimate(float(np.mean(values)), *interval)
    return means
