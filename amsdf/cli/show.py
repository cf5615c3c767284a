"""Printing results, for `eval`, `report` and `demo`; and the flags that decide what is shown."""

from argparse import Namespace
from pathlib import Path

from amsdf.evaluation.asv_files import AsvFiles
from amsdf.evaluation.results import Matrix
from amsdf.report.terminal import Tables, grids_of, results_text, write_figures


def asv_files(args: Namespace) -> AsvFiles:
    """The files of `--asv` and `--asv-key`."""
    return AsvFiles(args.asv, args.asv_key, getattr(args, "subset", None))


def wanted_tables(args: Namespace) -> Tables:
    """What `--by`, `--grid` and `--compare` ask for."""
    return Tables(args.by, args.grid, args.compare)


def show(results: Matrix, out: Path, wanted: Tables, asv: AsvFiles | None = None) -> None:
    """Print the tables, and keep all figures as CSV."""
    trials = asv.read(list(results.scores.values())) if asv and wanted.grid else {}
    grids = grids_of(results, wanted, trials)
    write_figures(results, out, grids)
    print(results_text(results, wanted, grids))
