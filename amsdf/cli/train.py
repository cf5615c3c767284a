"""`amsdf train`: flags to an experiment, an experiment to a run folder."""

from argparse import Namespace
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from amsdf.cli.arguments.overrides import overrides_of
from amsdf.cli.arguments.view_cache import cache_of
from amsdf.config.overrides import Overrides
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.detector.storage.checkpoint import EXPERIMENT
from amsdf.detector.storage.pretrained_views import architecture_of
from amsdf.detector.summary import describe
from amsdf.report.table import percent
from amsdf.scoring.calibration.calibrated_training import named_experiment, train_and_calibrate
from amsdf.training.clips.kept_clips import refuse_unfrozen
from amsdf.training.plan import Plan, RunSettings, open_plan
from amsdf.training.processes import leave_process_group
from amsdf.training.runs.run_folder import FAILED, Progress


def run(args: Namespace) -> int:
    """Train, or with `--dry-run` only describe."""
    architecture = _known_architecture if args.dry_run else architecture_of
    experiment, roots = named_experiment(_overrides(args), roots_here(args.data), architecture)
    if args.dry_run:
        print(describe(experiment, args.trust_remote_code))
        return 0

    if args.cache:
        refuse_unfrozen(experiment)
    folder = Path(args.out or f"runs/{experiment.name}")
    settings = RunSettings(
        args.resume,
        args.workers,
        args.tracker,
        not args.quiet,
        args.trust_remote_code,
        cache_of(args),
    )
    plan = open_plan(experiment, folder, roots, settings)
    progress = train_and_calibrate(experiment, plan)
    print("\n".join(summary(progress, plan)))
    leave_process_group()
    return 1 if progress.bad_clips else 0


def _overrides(args: Namespace) -> Overrides:
    """What the flags say; a resumed run knows its own experiment."""
    known = Path(args.out, EXPERIMENT) if args.resume and args.out else None
    of_run = str(known) if known and known.is_file() and not args.recipe else None
    return overrides_of(args, of_run)


def _known_architecture(encoder: str, name: str) -> Mapping[str, Any]:
    """For a dry run: a file that is not here decides nothing."""
    try:
        return architecture_of(encoder, name, download=False)
    except ValueError as error:
        print(f"# {error}")
        return {}


def summary(progress: Progress, plan: Plan) -> list[str]:
    """The closing lines: how it went, where the detector is, and what to do with it."""
    eer = f"dev EER {percent(progress.best_eer)} %"
    if progress.best_epoch >= 0:
        found = f"best {eer} in epoch {progress.best_epoch}; "
    else:
        found = f"{eer} of the mean of the best weights; " if isfinite(progress.best_eer) else ""
    lines = [f"{found}{progress.epoch} epochs, {progress.step} steps, {progress.seconds:.0f} s"]
    if progress.skipped:
        lines.append(f"{progress.skipped} steps skipped: their gradients were not finite")
    if progress.bad_clips:
        number, place = len(progress.bad_clips), plan.folder / FAILED
        lines.append(f"{number} training clips left out; what failed, with reasons: {place}")
    return [
        *lines,
        f"detector: {plan.folder / 'best'}",
        f"next: python main.py eval --detector {plan.folder} --on CORPUS",
        f"      python main.py score RECORDING --detector {plan.folder}",
    ]
