"""Spoofing-aware speaker verification: the figures of ASVspoof 5 track 2 from one score table.

Of the scores a file holds: the countermeasure's (the table's own), those of speaker verification
(`asv-score`), and those that decide about both (`sasv-score`, else the table's own).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from amsdf.contracts import SPOOF
from amsdf.evaluation.figures import Estimate
from amsdf.evaluation.results import ResultSettings
from amsdf.metrics import (
    ASVSPOOF5_ASV,
    AsvRates,
    AsvScores,
    Cost,
    Intervals,
    Metric,
    Resampling,
    TandemCosts,
    Trials,
    a_dcf,
    cost_metric,
    min_tdcf,
    sasv_eers,
    t_eer,
    tdcf_cost,
)
from amsdf.metrics.intervals import EER
from amsdf.scoring.score_files.table import Scores, class_scores
from amsdf.scoring.score_files.units import unit_of

Classes = tuple[np.ndarray, np.ndarray, np.ndarray]
TRIALS = ("target", "nontarget", "spoof")


@dataclass(frozen=True)
class Sasv:
    """Rates are fractions; None needs scores that the table does not hold."""

    a_dcf: Estimate | None = None
    #: Targets against all else, against nontargets, against spoofs, with their intervals.
    eers: tuple[Estimate, Estimate, Estimate] | None = None
    #: The official figure: 2021 form, with the ASV error rates that the organisers fixed.
    min_tdcf: Estimate | None = None
    #: The same with the error rates of the table's own ASV scores.
    min_tdcf_own: Estimate | None = None
    t_eer: float | None = None


def sasv(scores: Scores, settings: ResultSettings | None = None) -> Sasv | None:
    """The figures of a table whose `trial` column says target, nontarget or spoof; else None."""
    table = scores.table
    if "trial" not in table.columns or set(table["trial"].unique()) != set(TRIALS):
        return None
    settings = settings or ResultSettings()
    both, verification = _scores_of(table, "sasv"), _scores_of(table, "asv")
    if both is None and verification is None:
        return _of_both(scores, table["score"].to_numpy(), settings)
    given = Sasv() if both is None else _of_both(scores, both, settings)

    own = AsvScores(*_by_class(table, verification)) if verification is not None else None
    countermeasure = table["score"].to_numpy()
    target, nontarget, spoof = _by_class(table, countermeasure)
    bonafide = np.concatenate([target, nontarget])
    return replace(
        given,
        min_tdcf=_tdcf(scores, ASVSPOOF5_ASV, settings),
        min_tdcf_own=None if own is None else _tdcf(scores, own, settings),
        t_eer=None if own is None else t_eer(bonafide, spoof, own),
    )


def _of_both(scores: Scores, values: np.ndarray, settings: ResultSettings) -> Sasv:
    classes = _by_class(scores.table, values)
    against = ("nontarget", "spoof"), ("nontarget",), ("spoof",)
    eers = tuple(
        Estimate(rate, *_interval(_two_classes(scores, values, ("target",), others), EER, settings))
        for rate, others in zip(sasv_eers(*classes), against, strict=True)
    )
    return Sasv(_a_dcf(scores, values, settings), (eers[0], eers[1], eers[2]))


def _a_dcf(scores: Scores, values: np.ndarray, settings: ResultSettings) -> Estimate:
    """A cost of two classes: nontargets and spoofs are one, each trial weighing what it costs."""
    part = _two_classes(scores, values, ("target",), ("nontarget", "spoof"))
    costs, trial = TandemCosts(), part.table.filter(pl.col("label") == SPOOF)["trial"]
    per_class = {
        "nontarget": costs.false_alarm * costs.prior_nontarget,
        "spoof": costs.false_alarm_spoof * costs.prior_spoof,
    }
    accepted, missed = sum(per_class.values()), costs.miss * costs.prior_target
    worst = min(accepted, missed)
    metric = cost_metric(Cost(0.0, missed / worst, accepted / worst))
    sizes = dict(trial.value_counts().iter_rows())
    weights = np.array([per_class[name] / sizes[name] for name in trial])
    value = a_dcf(*_by_class(scores.table, values))
    return Estimate(value, *_interval(part, metric, settings, weights))


def _tdcf(scores: Scores, asv: AsvScores | AsvRates, settings: ResultSettings) -> Estimate:
    values = scores.table["score"].to_numpy()
    part = _two_classes(scores, values, ("target", "nontarget"), ("spoof",))
    interval = _interval(part, cost_metric(tdcf_cost(asv)), settings)
    return Estimate(min_tdcf(*class_scores(part), asv), *interval)


def _two_classes(
    scores: Scores, values: np.ndarray, accepted: Sequence[str], others: Sequence[str]
) -> Scores:
    """The trials of some classes, those that are to be accepted labelled as bona fide."""
    trial = pl.col("trial")
    table = scores.table.with_columns(
        score=pl.Series(values), label=trial.is_in(accepted).cast(pl.Int8)
    )
    return Scores(scores.name, table.filter(trial.is_in([*accepted, *others])), scores.header)


def _interval(
    part: Scores, metric: Metric, settings: ResultSettings, weights: np.ndarray | None = None
) -> Sequence[float]:
    """Low and high; nothing where no interval is wanted or possible."""
    if not settings.rounds:
        return ()
    groups = unit_of(part, settings.resample).groups
    how = Resampling(settings.rounds, settings.seed, groups)
    real, fake = class_scores(part)
    return Intervals(Trials(real, fake, how, weights=weights)).of(metric) or ()


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
