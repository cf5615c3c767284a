"""`amsdf report`: tables and pages from score files alone."""

from argparse import Namespace
from pathlib import Path

from amsdf.commands.eval import show
from amsdf.evaluation import matrix, read_folder
from amsdf.report import write_report


def run(args: Namespace) -> int:
    """Read, join, print, write."""
    scores = read_folder(Path(args.scores))
    folder = Path(args.out) if args.out else Path(args.scores) / "report"
    page = write_report(folder, scores)
    show(matrix(scores), folder, args.by)
    print(f"report: {page}")
    return 0
