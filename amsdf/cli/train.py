"""`amsdf train`: flags to an experiment, an experiment to a run folder."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from amsdf.config import Experiment
from amsdf.config.overrides import Overrides, build_experiment
from amsdf.data.augmentations import build_augmentations
from amsdf.data.corpora.corpus import open_corpus
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector import pretrained
from amsdf.detector.detector import Detector
from amsdf.detector.summary import describe
from amsdf.files import write_text
from amsdf.scoring.calibration import fit_logistic
from amsdf.training.distributed import leave, on_main, this_process
from amsdf.training.plan import Plan
from amsdf.training.run_folder import Progress
from amsdf.training.trainer import train
from amsdf.training.validation import score_shared


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
    plan = make_plan(experiment, folder, roots, args)
    report(train_and_calibrate(experiment, plan), folder)
    leave()
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
        return pretrained.architecture_of(encoder, name)
    except ValueError as error:
        print(f"# {error}")
        return {}


def make_plan(
    experiment: Experiment, folder: Path, roots: Mapping[str, Path], args: Namespace
) -> Plan:
    """Open the corpora of an experiment."""
    if not experiment.train.corpora:
        raise ValueError("no training corpus: give --train CORPUS (and --dev CORPUS)")
    augment = build_augmentations(experiment.augment, roots)
    return Plan(
        folder=folder,
        train=_joined([open_corpus(name, roots) for name in experiment.train.corpora]),
        dev=[open_corpus(name, roots) for name in experiment.dev],
        find_pretrained=pretrained.find_pretrained,
        augment=augment,
        resume=getattr(args, "resume", False),
        workers=args.workers,
        trackers=getattr(args, "tracker", []),
        progress=not args.quiet,
        trust_remote_code=args.trust_remote_code,
    )


def _joined(manifests: Sequence[Manifest]) -> Manifest:
    if len(manifests) == 1:
        return manifests[0]
    table = pl.concat([manifest.table for manifest in manifests], how="diagonal_relaxed")
    if table["utt"].is_duplicated().any():  # ids are unique within a corpus, not between two
        table = table.with_columns(utt=pl.format("{}/{}", "corpus", "utt"))
    return Manifest("+".join(manifest.name for manifest in manifests), table)


def train_and_calibrate(experiment: Experiment, plan: Plan) -> Progress:
    """Train, then fit the calibration of the best detector on its dev sets."""
    progress = train(experiment, plan)
    if plan.dev:
        calibrate(plan.folder / "best", plan)
    return progress


def calibrate(folder: Path, plan: Plan) -> None:
    """Write `calibration.json`, fitted on all dev trials together."""
    detector = Detector.from_pretrained(folder, plan.trust_remote_code).to(this_process().device)
    scores = np.concatenate([score_shared(detector, dev, plan.workers) for dev in plan.dev])
    labels = np.concatenate([dev.table["label"].to_numpy() for dev in plan.dev])
    calibration = fit_logistic(scores[labels == 1], scores[labels == 0])
    on_main(lambda: write_text(folder / "calibration.json", calibration.to_json()))


def report(progress: Progress, folder: Path) -> None:
    """The closing lines."""
    if progress.best_epoch >= 0:
        print(f"best dev EER {100 * progress.best_eer:.2f} % in epoch {progress.best_epoch}")
    elif np.isfinite(progress.best_eer):
        print(f"dev EER {100 * progress.best_eer:.2f} % of the mean of the best weights")
    print(f"detector: {folder / 'best'}")
