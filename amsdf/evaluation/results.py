"""Score tables to results: one cell, its breakdowns, the detector × corpus matrix, seeds.

Rates are fractions here; `amsdf.report.tables` prints percent. Polarity is never repaired: a
detector that ranks fakes above real recordings shows an EER above 50 % and gets a warning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from amsdf.metrics import (
    AsvScores,
    Resampling,
    act_dcf,
    auc,
    bootstrap,
    cllr,
    eer,
    eer_collapsed,
    min_cllr,
    min_dcf,
    min_tdcf,
)
from amsdf.metrics.detection import mean
from amsdf.scoring.score_files import Scores, class_scores, corpus_of, detector_of

POOLED = "pooled"


@dataclass(frozen=True)
class Result:
    """One detector on one corpus. Figures that need both classes are None without one."""

    detector: str
    corpus: str
    num_bonafide: int
    num_spoof: int
    num_unlabelled: int
    mean_score: float
    eer: float | None = None
    eer_low: float | None = None
    eer_high: float | None = None
    #: EER on thresholds that exist: equal scores are decided together.
    eer_collapsed: float | None = None
    #: Spoof trials that score exactly as some bona fide trial does.
    num_ties: int | None = None
    #: The EER threshold of this very set; a trial is accepted when score > threshold.
    threshold: float | None = None
    auc: float | None = None
    min_dcf: float | None = None
    act_dcf: float | None = None
    cllr: float | None = None
    min_cllr: float | None = None
    min_tdcf_2019: float | None = None
    min_tdcf_2021: float | None = None
    #: Shares of bona fide rejected and spoof accepted at a threshold carried over from dev.
    frr_at_dev: float | None = None
    far_at_dev: float | None = None

    @property
    def inverted(self) -> bool:
        """Whether fakes score higher than real recordings, so that the other sign would do better.

        Equal scores alone can push the official EER above a half.
        """
        return (self.eer or 0) > 0.5 and (self.auc or 0) < 0.5


@dataclass(frozen=True)
class Matrix:
    """All results, by detector and corpus, and the score tables they came from."""

    detectors: tuple[str, ...]
    corpora: tuple[str, ...]
    cells: Mapping[tuple[str, str], Result]
    #: Per detector: all trials of the `shared` corpora in one EER, empty below two corpora.
    pooled: Mapping[str, Result]
    #: Per detector: the mean EER over the `shared` corpora that have both classes.
    macro: Mapping[str, float]
    #: The corpora that every detector was scored on.
    shared: tuple[str, ...]
    scores: Mapping[tuple[str, str], Scores] = field(repr=False)


def result_of(
    scores: Scores,
    asv: AsvScores | None = None,
    rounds: int = 1000,
    seed: int = 0,
    threshold: float | None = None,
) -> Result:
    """All figures of one score table.

    Args:
        scores: of one detector on one corpus, labelled or not.
        asv: speaker verification scores of the same corpus, for the min t-DCF.
        rounds: bootstrap rounds of the 95 % interval; 0 leaves it out.
        seed: of the bootstrap.
        threshold: chosen on dev; the error rates at it are reported too.
    """
    real, fake = class_scores(scores)
    figures: dict[str, Any] = {}
    if threshold is not None:
        figures["frr_at_dev"] = float(np.mean(real <= threshold)) if len(real) else None
        figures["far_at_dev"] = float(np.mean(fake > threshold)) if len(fake) else None
    if len(real) and len(fake):
        figures |= _figures(real, fake) | _interval(real, fake, rounds, seed)
        if asv is not None:
            figures["min_tdcf_2019"] = min_tdcf(real, fake, asv, form="2019")
            figures["min_tdcf_2021"] = min_tdcf(real, fake, asv, form="2021")
    return Result(
        detector=detector_of(scores),
        corpus=corpus_of(scores),
        num_bonafide=len(real),
        num_spoof=len(fake),
        num_unlabelled=scores.table["label"].null_count(),
        mean_score=mean(scores.table["score"].to_numpy()),
        **figures,
    )


def _figures(real: np.ndarray, fake: np.ndarray) -> dict[str, Any]:
    rate, threshold = eer(real, fake)
    return {
        "eer": rate,
        "threshold": threshold,
        "eer_collapsed": eer_collapsed(real, fake).rate,
        "num_ties": int(np.isin(fake, real).sum()),
        "auc": auc(real, fake),
        "min_dcf": min_dcf(real, fake),
        "act_dcf": act_dcf(real, fake),
        "cllr": cllr(real, fake),
        "min_cllr": min_cllr(real, fake),
    }


def _interval(real: np.ndarray, fake: np.ndarray, rounds: int, seed: int) -> dict[str, Any]:
    if not rounds:
        return {}
    low, high = bootstrap(real, fake, how=Resampling(rounds, seed))
    return {"eer_low": low, "eer_high": high}


def matrix(
    scores: Sequence[Scores],
    asv: Mapping[str, AsvScores] | None = None,
    rounds: int = 1000,
    thresholds: Mapping[str, float] | None = None,
) -> Matrix:
    """Every detector on every corpus, and over the corpora that all detectors share.

    Args:
        scores: one table for each pair, in the order in which they are to be shown.
        asv: corpus name to its speaker verification scores.
        rounds: bootstrap rounds of each interval.
        thresholds: detector name to the threshold chosen on its dev set.
    """
    tables = _by_pair(scores)
    detectors = tuple(dict.fromkeys(detector for detector, _ in tables))
    corpora = tuple(dict.fromkeys(corpus for _, corpus in tables))
    shared = tuple(c for c in corpora if all((d, c) in tables for d in detectors))
    thresholds, asv = thresholds or {}, asv or {}
    cells = {
        (detector, corpus): result_of(
            table, asv.get(corpus), rounds=rounds, threshold=thresholds.get(detector)
        )
        for (detector, corpus), table in tables.items()
    }
    pooled = {
        detector: result_of(
            _pooled([tables[detector, corpus] for corpus in shared]),
            rounds=rounds,
            threshold=thresholds.get(detector),
        )
        for detector in detectors
        if len(shared) > 1
    }
    rates = {d: [cells[d, c].eer for c in shared if cells[d, c].eer is not None] for d in detectors}
    macro = {d: float(np.mean(found)) for d, found in rates.items() if len(found) > 1}  # type: ignore[arg-type]
    return Matrix(detectors, corpora, cells, pooled, macro, shared, tables)


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


def _pooled(tables: Sequence[Scores]) -> Scores:
    """All trials of one detector; ids get their corpus in front, because they may repeat."""
    parts = [
        table.table.select(pl.format("{}/{}", pl.lit(corpus_of(table)), "utt"), "score", "label")
        for table in tables
    ]
    joined = pl.concat([part.rename({part.columns[0]: "utt"}) for part in parts])
    return Scores(POOLED, joined, {"detector": detector_of(tables[0]), "corpus": POOLED})


def _coverage(table: Matrix, corpus: str) -> Iterator[str]:
    """Scores of a part of the trials must not pass for scores of all of them."""
    sizes = {}
    for detector in table.detectors:
        if (detector, corpus) not in table.cells:
            continue
        scores = table.scores[detector, corpus]
        sizes[detector] = len(scores)
        listed = scores.header.get("listed", str(len(scores)))
        if listed != str(len(scores)):
            yield f"{detector} on {corpus}: {len(scores)} of {listed} listed trials have a score."
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{detector} {size}" for detector, size in sizes.items())
        yield f"{corpus}: the detectors were scored on different numbers of trials: {counts}."


def warnings(table: Matrix) -> list[str]:
    """One line for each cell that a reader could misread."""
    lines = [line for corpus in table.corpora for line in _coverage(table, corpus)]
    for cell in [*table.cells.values(), *table.pooled.values()]:
        where = f"{cell.detector} on {cell.corpus}"
        if cell.inverted:
            lines.append(
                f"{where}: EER {100 * (cell.eer or 0):.1f} %, worse than guessing. Fakes score "
                "higher than real recordings; the scores are shown as they are. Check the polarity."
            )
        if cell.eer is None and cell.num_bonafide + cell.num_spoof:
            only = "bona fide" if cell.num_bonafide else "spoof"
            lines.append(f"{cell.corpus}: only {only} trials, so there is no EER.")
        if cell.num_unlabelled:
            lines.append(f"{where}: {cell.num_unlabelled} trials have no label and are left out.")
        if cell.num_ties and abs((cell.eer or 0) - (cell.eer_collapsed or 0)) > 0.001:
            lines.append(
                f"{where}: equal scores; the official EER counts them against the detector "
                f"(deciding equals together: {100 * (cell.eer_collapsed or 0):.1f} %)."
            )
    return list(dict.fromkeys(lines))
