"""Spoofing-aware speaker verification: the figures of ASVspoof 5 track 2 from one score table.

Of the scores a file holds: the countermeasure's (the table's own), those of speaker verification
(`asv-score`), and those that decide about both (`sasv-score`, else the table's own).
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from amsdf.metrics import (
    ASVSPOOF5_ASV,
    AsvScores,
    SasvEers,
    a_dcf,
    min_tdcf,
    sasv_eers,
    t_eer,
)
from amsdf.scoring.score_files import Scores

Classes = tuple[np.ndarray, np.ndarray, np.ndarray]
TRIALS = ("target", "nontarget", "spoof")


@dataclass(frozen=True)
class Sasv:
    """Rates are fractions; None needs scores that the table does not hold."""

    a_dcf: float | None = None
    eers: SasvEers | None = None
    #: 2021 form, with the table's ASV scores or else the rates that the organisers fixed.
    min_tdcf: float | None = None
    t_eer: float | None = None


def sasv(scores: Scores) -> Sasv | None:
    """The figures of a table whose `trial` column says target, nontarget or spoof; else None."""
    table = scores.table
    if "trial" not in table.columns or set(table["trial"].unique()) != set(TRIALS):
        return None
    own = table["score"].to_numpy()
    both, verification = _scores_of(table, "sasv"), _scores_of(table, "asv")
    if both is None and verification is None:
        return _of_both(table, own)
    given = Sasv() if both is None else _of_both(table, both)
    cost, tandem = _of_countermeasure(table, own, verification)
    return replace(given, min_tdcf=cost, t_eer=tandem)


def _of_both(table: pl.DataFrame, scores: np.ndarray) -> Sasv:
    classes = _by_class(table, scores)
    return Sasv(a_dcf(*classes), sasv_eers(*classes))


def _of_countermeasure(
    table: pl.DataFrame, scores: np.ndarray, verification: np.ndarray | None
) -> tuple[float, float | None]:
    target, nontarget, spoof = _by_class(table, scores)
    bonafide = np.concatenate([target, nontarget])
    if verification is None:
        return min_tdcf(bonafide, spoof, ASVSPOOF5_ASV), None
    asv = AsvScores(*_by_class(table, verification))
    return min_tdcf(bonafide, spoof, asv), t_eer(bonafide, spoof, asv)


def _scores_of(table: pl.DataFrame, kind: str) -> np.ndarray | None:
    """Scores (T,) of column `<kind>-score`; None where it is absent or not all numbers."""
    for name in (f"{kind}-score", f"{kind}_score"):
        if name in table.columns:
            numbers = table[name].cast(pl.Float64, strict=False)
            return None if numbers.null_count() else numbers.to_numpy()
    return None


def _by_class(table: pl.DataFrame, scores: np.ndarray) -> Classes:
    """Scores of targets, of nontargets and of spoofs."""
    trials = table["trial"].to_numpy()
    target, nontarget, spoof = (scores[trials == trial] for trial in TRIALS)
    return target, nontarget, spoof
