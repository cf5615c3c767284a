"""`amsdf eval`: detectors x corpora -> score files -> the EER table."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from time import time

from amsdf.cli.arguments.engine import check_engine
from amsdf.cli.arguments.record import Made, write_record
from amsdf.cli.arguments.view_cache import cache_of
from amsdf.cli.flags.shared import named_paths
from amsdf.cli.terminal.results import result_settings, show
from amsdf.data.corpora.finding.corpus import split_reference
from amsdf.data.corpora.finding.references import name_references
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.storage.loading import experiments_of
from amsdf.evaluation.cross_evaluation import (
    Corpora,
    Evaluation,
    EvaluationSettings,
    conclude,
    score_detectors,
)
from amsdf.evaluation.speaker_verification.asv_files import AsvFiles
from amsdf.report.page.evaluation_page import write_evaluation_page
from amsdf.report.terminal import Tables
from amsdf.scoring.outcomes import summary_of
from amsdf.training.processes import leave_process_group, this_process

_NOTES = frozenset(("README", "LICENSE", "LICENCE"))


def run(args: Namespace) -> int:
    """Score what is not scored yet, print the table; status 1 when clips were set aside.

    Several processes score together; then the first of them goes on alone.
    """
    names = _without_notes(args.on)
    if args.as_published:
        names = [_as_published(name) for name in names]
    check_engine(args)
    settings = _settings(args)
    started, out = time(), Path(args.out)
    corpora = Corpora.opened(names, settings.calibrate_on, named_paths(args.data))
    scored = score_detectors(args.detector, corpora, out, settings)
    first = this_process().is_main_process
    leave_process_group()
    if not first:
        return 0

    try:
        evaluation = conclude(scored, settings)
        _show(evaluation, args, settings)
    finally:  # the scores are on disk; failed.tsv must be too, even if a table fails
        lines, status = summary_of([*scored.outcomes, *scored.calibration_outcomes], out)
        print("\n".join(lines))
    if evaluation.results is not None:
        files = [outcome.path for outcome in scored.outcomes if outcome.scored]
        write_record(args, out, Made(out, files, started, experiments_of(evaluation.detectors)))
    return status


def _settings(args: Namespace) -> EvaluationSettings:
    if args.calibrate and not args.calibrate_on:
        raise ValueError(
            f"--calibrate {args.calibrate}: on what? Give --calibrate-on CORPUS, with known clips "
            "that --on does not name"
        )
    if args.plain and args.cache:
        raise ValueError("--plain computes all anew, --cache does not; leave one out")
    return EvaluationSettings(
        scoring=ScoreSettings(
            batch_size=args.batch_size,
            workers=args.workers,
            precision=args.precision,
            strict=args.strict,
            progress=not args.quiet,
            score_rule=args.score_rule,
            plain=args.plain,
            cache=cache_of(args),
            engine=args.engine,
            address=args.address,
        ),
        device=args.device,
        bonafide_class=args.bonafide_class,
        trust_remote_code=args.trust_remote_code,
        calibrate_on=args.calibrate_on,
        calibrate=args.calibrate or "logistic",
        store_calibration=args.store_calibration,
        threshold=args.threshold,
        fuse=args.fuse,
        fuse_on=args.fuse_on,
        as_seeds=args.as_seeds,
        asv=AsvFiles(args.asv, args.asv_key),
        results=result_settings(args),
    )


def _show(evaluation: Evaluation, args: Namespace, settings: EvaluationSettings) -> None:
    for note in evaluation.notes:
        print(f"# {note}")
    if evaluation.results is None:
        return
    wanted = Tables(args.by, args.grid, args.compare, args.figures)
    show(evaluation.results, Path(args.out), wanted, settings.asv)
    if args.html:
        roots = name_references(args.on, roots_here(args.data))[1]
        about = {"command": "amsdf " + " ".join(sys.argv[1:])}
        page, notes = write_evaluation_page(
            Path(args.out) / "report", evaluation, settings, roots, about
        )
        for note in notes:
            print(f"# {note}")
        print(f"report: {page}")


def _without_notes(references: Sequence[str]) -> list[str]:
    """Leave out, and name, the notes that a shell pattern such as `corpora/*` also matches."""
    notes = {ref for ref in references if Path(ref).is_file() and Path(ref).stem in _NOTES}
    for ref in sorted(notes):
        print(f"# {ref}: is not a corpus; left out")
    return [ref for ref in references if ref not in notes] or list(references)


def _as_published(name: str) -> str:
    """AMSDF's own FakeAVCeleb set; its name in the table says so."""
    corpus, split = split_reference(name)
    if corpus != "fakeavceleb" or split not in (None, "eval"):
        return name
    print("# fakeavceleb: all rows, as the AMSDF authors scored it, the clips of its dev included")
    return "fakeavceleb/as-published"
