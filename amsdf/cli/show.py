"""Printing results: for `eval`, `report` and `demo`."""

from pathlib import Path

from amsdf.evaluation.asv_files import AsvFiles
from amsdf.evaluation.results import Matrix
from amsdf.report.terminal import Tables, grids_of, results_text, write_figures


def show(results: Matrix, out: Path, wanted: Tables, asv: AsvFiles | None = None) -> None:
    """Print the tables, and keep all figures as CSV."""
    trials = asv.read(list(results.scores.values())) if asv and wanted.grid else {}
    grids = grids_of(results, wanted, trials)
    write_figures(results, out, grids)
    print(results_text(results, wanted, grids))
