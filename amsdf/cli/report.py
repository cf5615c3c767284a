"""`amsdf report`: tables and pages from score files alone, ours or of any public layout."""

from argparse import Namespace
from pathlib import Path
from time import time

from amsdf.cli.arguments.record import Made, write_record
from amsdf.cli.terminal.results import result_settings, show
from amsdf.evaluation.cross_evaluation import EvaluationSettings, build_results
from amsdf.evaluation.speaker_verification.asv_files import AsvFiles
from amsdf.report.page.report import write_report
from amsdf.report.terminal import Tables
from amsdf.scoring.score_files.folder import (
    calibrations_beside,
    named_keys,
    read_folder,
    score_files,
)
from amsdf.scoring.score_files.table import Foreign


def run(args: Namespace) -> int:
    """Read, join with the key, compute, print and write."""
    started, given = time(), Path(args.scores)
    if args.subset and not args.key:
        raise ValueError(f"--subset {args.subset}: is a part of a key; give it with --key")
    scores = read_folder(
        given,
        keys=named_keys(args.key),
        subset=args.subset or "eval",
        how=Foreign(args.format, args.negate, args.bonafide_label),
    )

    folder = Path(args.out) if args.out else (given if given.is_dir() else given.parent) / "report"
    asv = AsvFiles(args.asv, args.asv_key, args.subset)
    settings = EvaluationSettings(
        threshold=args.threshold,
        fuse=args.fuse,
        fuse_on=args.fuse_on,
        as_seeds=args.as_seeds,
        asv=asv,
        results=result_settings(args),
    )
    calibrations = calibrations_beside(given, scores)
    if args.threshold and not calibrations:
        print(
            f"# --threshold {args.threshold} has no effect: no detector has a calibration beside "
            "its scores; `eval --calibrate-on CORPUS` keeps one there"
        )
    results = build_results(scores, settings, calibrations)
    about = {
        "score files": str(given),
        "key": f"{', '.join(args.key)}, subset {args.subset or 'eval'}" if args.key else "none",
        "speaker verification": ", ".join([*args.asv, *args.asv_key]) or "none",
    }
    page = write_report(folder, results, about=about)

    show(results, folder, Tables(args.by, args.grid, args.compare, args.figures), asv)
    print(f"report: {page}")
    root = given if given.is_dir() else given.parent
    files = score_files(given, [*named_keys(args.key).values()])
    write_record(args, folder, Made(root, files, started))
    return 0
