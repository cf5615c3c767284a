"""Printing results: for `eval`, `report` and `demo`."""

from argparse import Namespace
from pathlib import Path

from amsdf.evaluation.figures import known_figures
from amsdf.evaluation.matrix import Matrix
from amsdf.evaluation.results import ResultSettings
from amsdf.evaluation.speaker_verification.asv_files import AsvFiles
from amsdf.report.terminal import Tables, breakdowns_of, grids_of, results_text, write_figures


def result_settings(args: Namespace) -> ResultSettings:
    """What the table flags say of how results are computed."""
    known_figures(args.figures)
    return ResultSettings(
        figures=args.figures,
        resample=args.resample,
        pool_all=args.pool_all,
    )


def show(results: Matrix, out: Path, wanted: Tables, asv: AsvFiles | None = None) -> None:
    """Print the tables, and keep all figures as CSV."""
    trials = asv.read(list(results.scores.values())) if asv and wanted.grid else {}
    grids = grids_of(results, wanted, trials)
    parts = breakdowns_of(results, wanted)
    write_figures(results, out, parts, grids)
    print(results_text(results, wanted, parts, grids))
