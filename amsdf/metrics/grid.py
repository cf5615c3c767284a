"""The table of ASVspoof 2021: one cell for each attack and codec, with pooled margins.

An attack restricts the spoofed trials only, a codec both classes. In the LA task each cell has its
own verification error rates, those of the same codec and attack, threshold included.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from amsdf.metrics.detection import eer
from amsdf.metrics.intervals import EER, Intervals, cost_metric
from amsdf.metrics.resampling import Resampling, Trials
from amsdf.metrics.tandem import AsvRates, AsvScores, asv_rates, min_tdcf, tdcf_cost

POOLED = "Pooled"


class Drawn(NamedTuple):
    """How intervals are drawn: by the values of a column, or by clip."""

    rounds: int = 400
    seed: int = 0
    column: str | None = None


def grid(
    trials: pl.DataFrame,
    asv: pl.DataFrame | None = None,
    rows: str = "attack",
    columns: str = "codec",
    drawn: Drawn | None = None,
) -> pl.DataFrame:
    """EER and, with `asv`, 2021-form min t-DCF of every cell; NaN where a class is missing.

    Args:
        trials: Columns `score`, `label`, and those named by `rows` and `columns`.
        asv: Columns `score`, `trial` (target, nontarget or spoof), and the same two.
        rows: What tells spoofed trials apart: attack, or in the DF task the vocoder.
        columns: What tells recordings of both classes apart.
        drawn: How intervals are drawn; none without it.

    Returns:
        A row a cell: the two names, `num_bonafide`, `num_spoof`, `eer`, `min_tdcf`, and with
        intervals `eer_low`, `eer_high`, `min_tdcf_low`, `min_tdcf_high`, NaN with too few trials.
    """
    spoofed = trials.filter(pl.col("label") == 0)
    names = [
        [*sorted(table[by].drop_nulls().unique().to_list()), POOLED]
        for table, by in ((spoofed, rows), (trials, columns))
    ]
    cells = []
    for column in names[1]:
        of_column = _only(trials, columns, column)
        asv_of_column = None if asv is None else _only(asv, columns, column)
        bonafide = of_column.filter(pl.col("label") == 1)
        for row in names[0]:
            chosen = _only(of_column.filter(pl.col("label") == 0), rows, row)
            rates = None if asv_of_column is None else _rates(asv_of_column, rows, row)
            cell = _cell(bonafide["score"].to_numpy(), chosen["score"].to_numpy(), rates)
            ends = {} if drawn is None else _intervals(bonafide, chosen, rates, drawn)
            cells.append({rows: row, columns: column, **cell, **ends})
    return pl.DataFrame(cells)


def _only(table: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    return table if name == POOLED else table.filter(pl.col(column) == name)


def _rates(asv: pl.DataFrame, rows: str, row: str) -> AsvRates | None:
    spoof = _only(asv.filter(pl.col("trial") == "spoof"), rows, row)["score"]
    target, nontarget = (
        asv.filter(pl.col("trial") == kind)["score"] for kind in ("target", "nontarget")
    )
    if not (len(target) and len(nontarget) and len(spoof)):
        return None
    return asv_rates(AsvScores(target.to_numpy(), nontarget.to_numpy(), spoof.to_numpy()))


def _cell(bonafide: np.ndarray, spoof: np.ndarray, rates: AsvRates | None) -> dict[str, float]:
    both = bool(bonafide.size and spoof.size)
    soft = both and np.unique(np.concatenate([bonafide, spoof])).size > 2
    return {
        "num_bonafide": bonafide.size,
        "num_spoof": spoof.size,
        "eer": eer(bonafide, spoof).rate if both else float("nan"),
        "min_tdcf": min_tdcf(bonafide, spoof, rates, "2021") if soft and rates else float("nan"),
    }


def _intervals(
    bonafide: pl.DataFrame, spoof: pl.DataFrame, rates: AsvRates | None, drawn: Drawn
) -> dict[str, float]:
    classes = bonafide, spoof
    by = drawn.column
    groups = None if by is None else (bonafide[by].to_list(), spoof[by].to_list())
    how = Resampling(drawn.rounds, drawn.seed, groups)
    real, fake = (each["score"].to_numpy() for each in classes)
    found = Intervals(Trials(real, fake, how)) if real.size and fake.size else None
    metrics = {"eer": EER, "min_tdcf": rates and cost_metric(tdcf_cost(rates))}
    ends: dict[str, float] = {}
    for name, metric in metrics.items():
        interval = found.of(metric) if found and metric else None
        low, high = interval or (float("nan"), float("nan"))
        ends |= {f"{name}_low": low, f"{name}_high": high}
    return ends
