"""The results of one score table, value by value of a column: attack, codec, speaker, duration."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.evaluation.figures import Cut, Given
from amsdf.evaluation.results import Result, ResultSettings, result_of
from amsdf.metrics import eer
from amsdf.metrics.detection import mean
from amsdf.registry import nearest
from amsdf.scoring.score_files.table import Scores, class_scores
from amsdf.scoring.score_files.units import AUTO

#: Columns that say how a fake was made: every value is set against all bona fide trials.
SPOOF_COLUMNS = frozenset(
    ("attack", "vocoder", "method", "system", "generator", "model_name", "architecture")
)
#: Columns in seconds, and the upper ends of the buckets that they are put into.
DURATION_COLUMNS = frozenset(("duration", "seconds"))
BUCKETS = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class BreakdownRow:
    """The trials of one value of a column, against all bona fide where only fakes have values."""

    value: str
    result: Result
    #: The mean score of the trials of this value alone.
    mean_score: float


def breakdown(
    scores: Scores,
    column: str,
    given: Given | None = None,
    settings: ResultSettings | None = None,
) -> list[BreakdownRow]:
    """One result for each value of a column.

    A column that says how a fake was made, by its name or by what it holds, restricts the spoof
    trials only: each value is set against all bona fide. Any other column restricts both classes.
    Durations fall into buckets. The threshold is one for all parts: the given one, else the EER
    threshold of the whole table. Without figures in the settings: the EER, and the errors there.
    """
    table = scores.table
    if column not in table.columns[3:]:
        raise ValueError(
            f"{scores.name}: has no column {column!r}.{nearest(column, table.columns[3:])} "
            f"Columns: {', '.join(table.columns[3:]) or 'only utt, score and label'}"
        )
    settings = settings or ResultSettings()
    settings = replace(settings, figures=settings.figures or ("eer",))
    if settings.resample != AUTO and column == settings.resample:
        settings = replace(settings, resample=AUTO)
    given = _with_cut(scores, given or Given())
    spoof_only = column in SPOOF_COLUMNS or _of_fakes_alone(table, column)
    values = _bucketed(scores.name, table[column]) if column in DURATION_COLUMNS else table[column]
    name = "value of the breakdown"
    table = table.with_columns(values.alias(name))
    chosen = table.filter(pl.col("label") == SPOOF) if spoof_only else table
    everyone = table.filter(pl.col("label") == BONAFIDE) if spoof_only else table.clear()

    parts = []
    for (value,), part in sorted(chosen.drop_nulls(name).group_by(name, maintain_order=True)):
        both = Scores(scores.name, pl.concat([part, everyone]).drop(name), scores.header)
        own = mean(part["score"].to_numpy())
        parts.append(BreakdownRow(str(value), result_of(both, given, settings), own))
    return parts


def _with_cut(scores: Scores, given: Given) -> Given:
    real, fake = class_scores(scores)
    if given.cut is not None or not len(real) or not len(fake):
        return given
    return replace(given, cut=Cut(eer(real, fake).threshold, "the EER of all these trials"))


def _of_fakes_alone(table: pl.DataFrame, column: str) -> bool:
    """Whether no value occurs in both classes, and bona fide trials have at most one value.

    So it is with codecs of a codec corpus and with replay devices: compared value by value, every
    cell would lack a class.
    """
    values = table.drop_nulls(column).group_by("label").agg(pl.col(column).unique())
    of = {label: set(found) for label, found in values.iter_rows()}
    real, fake = of.get(BONAFIDE, set()), of.get(SPOOF, set())
    return bool(fake) and len(real) == 1 and not real & fake


def attacks(scores: Scores) -> dict[str, np.ndarray]:
    """Attack name to its spoof scores (n,), in the order of the names; empty without the column."""
    if "attack" not in scores.table.columns:
        return {}
    fakes = scores.table.filter((pl.col("label") == SPOOF) & pl.col("attack").is_not_null())
    groups = sorted(fakes.group_by("attack"))
    return {str(name): part["score"].to_numpy() for (name,), part in groups}


def _bucketed(name: str, seconds: pl.Series) -> pl.Series:
    """Buckets whose names sort by length, as long as no bound has two digits."""
    try:
        numbers = seconds.cast(pl.Float64)
    except pl.exceptions.InvalidOperationError:
        raise ValueError(
            f"{name}: column {seconds.name!r} must hold seconds; given: {seconds.drop_nulls()[0]!r}"
        ) from None
    names = [f"{low:g}–{high:g} s" for low, high in zip((0, *BUCKETS), BUCKETS, strict=False)]
    return numbers.cut(BUCKETS, labels=[*names, f"over {BUCKETS[-1]:g} s"]).cast(pl.String)
