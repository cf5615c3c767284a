"""A study as tables: a row for each setting, their differences, the sources left out, the runs."""

from collections.abc import Sequence

import numpy as np

from amsdf.evaluation.studies.differences import Rates, difference
from amsdf.evaluation.studies.study import CellResult
from amsdf.report.table import MISSING, Table, percent

Setting = tuple[str, ...]
LEFT_OUT = "left out"


def by_setting(results: Sequence[CellResult]) -> dict[Setting, list[CellResult]]:
    """Runs that differ in seed and fold alone, together."""
    groups: dict[Setting, list[CellResult]] = {}
    for result in results:
        groups.setdefault(result.cell.setting, []).append(result)
    return groups


def _names(groups: dict[Setting, list[CellResult]]) -> tuple[str, ...]:
    drawn = any(len(setting) > 2 for setting in groups)
    return ("recipe", "loss", "drawn") if drawn else ("recipe", "loss")


def study_table(results: Sequence[CellResult], corpora: Sequence[str]) -> Table:
    """A row for each setting; EERs in percent, mean and standard deviation over its runs."""
    groups = by_setting(results)
    folds = any(result.cell.fold for result in results)
    rows = []
    for setting, group in groups.items():
        good = [result for result in group if not (result.problem or result.given_up)]
        number = str(len(good)) if len(good) == len(group) else f"{len(good)} of {len(group)}"
        columns = [[r.dev for r in good], *([r.eers.get(name) for r in good] for name in corpora)]
        if folds:
            columns.insert(1, [result.left_out for result in good])
        rows.append((*setting, number, *map(_over_runs, columns)))
    what, left_out = ("runs", (LEFT_OUT,)) if folds else ("seeds", ())
    title = f"Equal error rate (%), mean ± spread over {what}"
    return Table(title, (*_names(groups), what, "dev", *left_out, *corpora), tuple(rows))


def _over_runs(rates: Sequence[float | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    if not known:
        return MISSING
    mean = float(np.mean(known))
    mark = " !" if mean > 0.5 else ""  # inverted; shown as it is
    if len(known) == 1:
        return percent(mean) + mark
    return f"{percent(mean)} ± {percent(float(np.std(known, ddof=1)))}{mark}"


def folds_table(results: Sequence[CellResult]) -> Table:
    """A row for each source left out, a column for each setting: the mean EER over seeds."""
    groups = by_setting(results)
    sources = dict.fromkeys(result.cell.fold for result in results if result.cell.fold)
    rows = [
        (
            source,
            *(
                _over_runs([r.left_out for r in group if r.cell.fold == source])
                for group in groups.values()
            ),
        )
        for source in sources
    ]
    title = "Equal error rate (%) on each source left out, mean ± spread over seeds"
    return Table(title, ("left out", *map(" ".join, groups)), tuple(rows))


def differences_table(results: Sequence[CellResult], corpora: Sequence[str]) -> Table:
    """Each setting minus the first one, in points of EER, over seeds and sources.

    Sources are what folds left out; the corpora tried on are compared in the same way.
    """
    groups = by_setting(results)
    rates: list[tuple[str, dict[Setting, Rates]]] = []
    if any(result.cell.fold for result in results):
        rates.append((LEFT_OUT, {setting: _left_out(group) for setting, group in groups.items()}))
    if corpora:
        tried = {setting: _on_corpora(group, corpora) for setting, group in groups.items()}
        rates.append(("corpora", tried))
    rows = []
    for setting in list(groups)[1:]:
        for what, found in rates:
            gap = difference(next(iter(found.values())), found[setting])
            if gap is None:
                rows.append((*setting, what, MISSING, "0 x 0", "no common runs"))
                continue
            bounds = "" if gap.low is None else f" [{_points(gap.low)}, {_points(gap.high)}]"
            size = f"{gap.num_seeds} x {gap.num_sources}"
            rows.append((*setting, what, f"{_points(gap.mean)}{bounds}", size, gap.verdict))
    title = (
        f"EER minus that of {' '.join(next(iter(groups), ()))}, in points, with the 95 % interval "
        "over seeds and sources; negative is better"
    )
    header = (*_names(groups), "on", "difference", "seeds x sources", "verdict")
    return Table(title, header, tuple(rows))


def _points(gap: float | None) -> str:
    return MISSING if gap is None else f"{100 * gap:+.2f}"


def _left_out(group: Sequence[CellResult]) -> Rates:
    return {
        (result.cell.experiment.seed, result.cell.fold): result.left_out
        for result in group
        if result.left_out is not None
    }


def _on_corpora(group: Sequence[CellResult], corpora: Sequence[str]) -> Rates:
    """By seed and corpus, over folds the mean."""
    found: dict[tuple[int, str], list[float]] = {}
    for result in group:
        for corpus in corpora:
            rate = result.eers.get(corpus)
            if rate is not None:
                found.setdefault((result.cell.experiment.seed, corpus), []).append(rate)
    return {key: float(np.mean(values)) for key, values in found.items()}


def best_on_dev(results: Sequence[CellResult]) -> str:
    """The setting with the lowest mean dev EER, of those whose runs all came to their end."""
    means = {
        " ".join(setting): float(np.mean([result.dev for result in group]))
        for setting, group in by_setting(results).items()
        if not any(result.problem or result.given_up or result.dev is None for result in group)
    }
    if not means:
        return "best on dev: none, no draw came to its end"
    best = min(means, key=means.__getitem__)
    return f"best on dev: {best} (EER {percent(means[best])} %)"


def runs_table(results: Sequence[CellResult], corpora: Sequence[str]) -> Table:
    """A row for each run, with what went wrong."""
    left_out = (LEFT_OUT,) if any(result.cell.fold for result in results) else ()
    rows = [
        (
            result.cell.name,
            _exact(result.dev),
            *(_exact(result.left_out) for _ in left_out),
            *(_exact(result.eers.get(corpus)) for corpus in corpora),
            result.problem or ("given up for its dev EER" if result.given_up else ""),
        )
        for result in results
    ]
    header = ("run", *(f"{name} EER (%)" for name in ("dev", *left_out, *corpora)), "problem")
    return Table("Runs", header, tuple(rows))


def _exact(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.10g}"
