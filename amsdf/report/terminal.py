"""Results as text for a terminal, and the same figures as CSV files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from amsdf.evaluation.breakdowns import breakdown
from amsdf.evaluation.cautions import cautions, worst_parts
from amsdf.evaluation.figures import Given
from amsdf.evaluation.matrix import Matrix
from amsdf.evaluation.results import ResultSettings
from amsdf.evaluation.speaker_verification.sasv import sasv
from amsdf.evaluation.systems.comparison import compare_all
from amsdf.evaluation.systems.seed_summary import best_average_vote, seed_groups
from amsdf.files import write_text
from amsdf.metrics import Drawn, grid
from amsdf.registry import nearest
from amsdf.report.table import Table, to_csv, to_text
from amsdf.report.tables import (
    breakdown_table,
    comparison_table,
    details_table,
    errors_table,
    figures_table,
    grid_table,
    matrix_table,
    sasv_table,
    seeds_table,
)
from amsdf.scoring.score_files.table import Scores, corpus_of, detector_of
from amsdf.scoring.score_files.units import unit_of

_FIGURES = {"eer": "EER (%)", "min_tdcf": "min t-DCF (2021 form)"}


@dataclass(frozen=True)
class Tables:
    """Which tables are wanted in addition to the matrix."""

    #: Columns to break results down by.
    by: Sequence[str] = ()
    #: Two columns for a breakdown by both: `attack,codec`.
    grid: str | None = None
    #: Paired tests between detectors.
    compare: bool = False
    #: Names of figures for the table of all figures and for breakdowns.
    figures: Sequence[str] = ()


@dataclass(frozen=True)
class Grid:
    """One detector on one corpus, by two columns, and the figures that the cells have."""

    scores: Scores
    cells: pl.DataFrame
    columns: tuple[str, str]
    figures: tuple[str, ...]

    @property
    def place(self) -> str:
        """Whose results these are."""
        return f"{detector_of(self.scores)} on {corpus_of(self.scores)}"


def write_figures(
    results: Matrix, out: Path, parts: Sequence[tuple[str, Table]], grids: Sequence[Grid]
) -> None:
    """The figures as `matrix.csv`, and each breakdown and grid as a CSV file."""
    write_text(out / "matrix.csv", to_csv(figures_table(results)))
    for place, table in parts:
        name = f"by-{table.header[0]}-{place.replace(' on ', '-')}.csv"
        write_text(out / name.replace("/", "__"), to_csv(table))
    for found in grids:
        name = f"grid-{detector_of(found.scores)}-{corpus_of(found.scores)}.csv"
        write_text(out / name.replace("/", "__"), found.cells.write_csv())


def results_text(
    results: Matrix,
    wanted: Tables,
    parts: Sequence[tuple[str, Table]],
    grids: Sequence[Grid],
) -> str:
    """The matrix, the tables that are wanted, and what a reader could misread."""
    blocks = [to_text(matrix_table(results))]
    if len(results.corpora) > 1 and results.cuts:
        blocks.append(to_text(errors_table(results)) + "\n".join(worst_parts(results)))
    tandem = any(cell.value("min_tdcf_2019") is not None for cell in results.cells.values())
    if wanted.figures or tandem:
        blocks.append(to_text(details_table(results, wanted.figures)))
    verified = [
        (*pair, found)
        for pair, table in results.scores.items()
        if (found := sasv(table, results.settings))
    ]
    if verified:
        blocks.append(to_text(sasv_table(verified)))

    blocks += [f"{place}, {to_text(table)}" for place, table in parts]
    blocks += [_grid_text(found, figure) for found in grids for figure in found.figures]
    blocks += _seeds(results)
    if wanted.compare:
        pairs = compare_all(list(results.scores.values()), results.settings)
        text = to_text(comparison_table(pairs))
        blocks.append(text if pairs else "# --compare: no corpus has two detectors")

    lines = [f"warning: {line}" for line in cautions(results)]
    return "\n\n".join(blocks) + "".join(f"\n{line}" for line in lines)


def breakdowns_of(results: Matrix, wanted: Tables) -> list[tuple[str, Table]]:
    """The table of each column that is wanted, and whose results they are."""
    found = []
    for column in wanted.by:
        for scores in _with_columns(f"--by {column}", results, [column]):
            cut = results.cuts.get(detector_of(scores))
            parts = breakdown(scores, column, Given(cut=cut), results.settings)
            table = breakdown_table(parts, column, wanted.figures)
            found.append((f"{detector_of(scores)} on {corpus_of(scores)}", table))
    return found


def _with_columns(flag: str, results: Matrix, columns: Sequence[str]) -> list[Scores]:
    """The score tables that have all these columns; an error where none has."""
    tables = list(results.scores.values())
    found = [table for table in tables if set(columns) <= set(table.table.columns)]
    if found:
        return found
    known = sorted({name for table in tables for name in table.table.columns[3:]})
    for absent in (name for name in columns if name not in known):
        raise ValueError(
            f"{flag}: no scores have a column {absent!r}.{nearest(absent, known)} "
            f"There are: {', '.join(known) or 'only utt, score and label'}"
        )
    raise ValueError(f"{flag}: no scores have all of these columns, only some of them")


def grids_of(
    results: Matrix, wanted: Tables, asv: Mapping[str, pl.DataFrame] | None = None
) -> list[Grid]:
    """The grid of each score table, if one is wanted; `asv` has ASV trials by corpus."""
    if not wanted.grid:
        return []
    rows, _, columns = wanted.grid.partition(",")
    if not rows or not columns:
        raise ValueError(f"--grid {wanted.grid}: two columns are needed, such as attack,codec")
    found = []
    for scores in _with_columns(f"--grid {wanted.grid}", results, [rows, columns]):
        trials = (asv or {}).get(corpus_of(scores))
        if trials is not None and not {rows, columns} <= set(trials.columns):
            trials = None
        figures = ("eer",) if trials is None else ("eer", "min_tdcf")
        cells = grid(scores.table, trials, rows, columns, _drawn(scores, results.settings))
        found.append(Grid(scores, cells, (rows, columns), figures))
    return found


def _drawn(scores: Scores, settings: ResultSettings) -> Drawn | None:
    if not settings.rounds:
        return None
    unit = unit_of(scores, settings.resample)
    return Drawn(settings.rounds, settings.seed, None if unit.groups is None else unit.name)


def _grid_text(found: Grid, figure: str) -> str:
    title = f"{found.place}, {_FIGURES[figure]}"
    return to_text(grid_table(found.cells, *found.columns, figure, title))


def _seeds(results: Matrix) -> list[str]:
    """Best, average and vote, where several seeds have an EER; no reason to lose other tables."""
    rated = [results.scores[pair] for pair, cell in results.cells.items() if cell.eer is not None]
    try:
        summaries = [best_average_vote(group, results.settings) for group in seed_groups(rated)]
    except ValueError as error:
        return [f"# no table over seeds: {error}"]
    return [to_text(seeds_table(summaries))] if summaries else []
