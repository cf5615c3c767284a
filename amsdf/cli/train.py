"""`amsdf train`: flags to an experiment, an experiment to a run folder."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsdf.config.overrides import Overrides, build_experiment
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.detector import pretrained
from amsdf.detector.summary import describe
from amsdf.scoring.calibrated_training import train_and_calibrate
from amsdf.training.distributed import leave_process_group
from amsdf.training.plan import RunSettings, open_plan
from amsdf.training.run_folder import Progress


def run(args: Namespace) -> int:
    """Train, or with `--dry-run` only describe."""
    roots = roots_here(args.data)
    train_names, roots = name_references(args.train, roots)
    dev_names, roots = name_references(args.dev, roots)
    architecture = _known_architecture if args.dry_run else pretrained.architecture_of
    experiment = build_experiment(overrides_of(args, train_names, dev_names), architecture)
    if args.dry_run:
        print(describe(experiment, args.trust_remote_code))
        return 0

    folder = Path(args.out or f"runs/{experiment.name}")
    settings = RunSettings(
        args.resume, args.workers, args.tracker, not args.quiet, args.trust_remote_code
    )
    plan = open_plan(experiment, folder, roots, settings)
    report(train_and_calibrate(experiment, plan), folder)
    leave_process_group()
    return 0


def overrides_of(
    args: Namespace, train_names: Sequence[str] | None, dev_names: Sequence[str] | None
) -> Overrides:
    """The flags that describe an experiment."""
    return Overrides(
        recipe=args.recipe,
        config=args.config,
        views=args.view,
        head=args.head,
        loss=args.loss,
        augment=args.augment,
        freeze=args.freeze,
        train=train_names,
        dev=dev_names,
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        precision=args.precision,
        seed=args.seed,
        name=args.name,
        settings=args.set,
    )


def _known_architecture(encoder: str, name: str) -> Mapping[str, Any]:
    """For a dry run: a file that is not here decides nothing."""
    try:
        return pretrained.architecture_of(encoder, name, download=False)
    except ValueError as error:
        print(f"# {error}")
        return {}


def report(progress: Progress, folder: Path) -> None:
    """The closing lines."""
    if progress.best_epoch >= 0:
        print(f"best dev EER {100 * progress.best_eer:.2f} % in epoch {progress.best_epoch}")
    elif np.isfinite(progress.best_eer):
        print(f"dev EER {100 * progress.best_eer:.2f} % of the mean of the best weights")
    print(f"detector: {folder / 'best'}")
