"""A study as tables: a row for each recipe and loss, and a row for each run."""

from collections.abc import Sequence

import numpy as np

from amsdf.evaluation.study import CellResult
from amsdf.report.table import MISSING, Table, percent


def study_table(results: Sequence[CellResult], corpora: Sequence[str]) -> Table:
    """A row for each recipe and loss; EERs in percent, mean and standard deviation over seeds."""
    groups: dict[tuple[str, str], list[CellResult]] = {}
    for result in results:
        groups.setdefault((result.cell.recipe, result.cell.loss), []).append(result)
    rows = []
    for (recipe, loss), group in groups.items():
        good = [result for result in group if not result.problem]
        seeds = str(len(good)) if len(good) == len(group) else f"{len(good)} of {len(group)}"
        columns = [[r.dev for r in good], *([r.eers.get(name) for r in good] for name in corpora)]
        rows.append((recipe, loss, seeds, *map(_over_seeds, columns)))
    title = "Equal error rate (%), mean ± spread over seeds"
    return Table(title, ("recipe", "loss", "seeds", "dev", *corpora), tuple(rows))


def _over_seeds(rates: Sequence[float | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    if not known:
        return MISSING
    mean = float(np.mean(known))
    mark = " !" if mean > 0.5 else ""  # inverted; shown as it is
    if len(known) == 1:
        return percent(mean) + mark
    return f"{percent(mean)} ± {percent(float(np.std(known, ddof=1)))}{mark}"


def runs_table(results: Sequence[CellResult], corpora: Sequence[str]) -> Table:
    """A row for each run, with what went wrong."""
    rows = [
        (
            result.cell.name,
            *(_exact(rate) for rate in (result.dev, *map(result.eers.get, corpora))),
            result.problem,
        )
        for result in results
    ]
    header = ("run", *(f"{name} EER (%)" for name in ("dev", *corpora)), "problem")
    return Table("Runs", header, tuple(rows))


def _exact(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.10g}"
