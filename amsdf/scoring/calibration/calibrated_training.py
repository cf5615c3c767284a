"""Training that ends with a calibration on its dev sets and a reference to its training set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl

from amsdf.config import Experiment
from amsdf.config.overrides import Overrides, build_experiment
from amsdf.data.corpora.finding.references import name_references
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.inference.windows import describe_rule
from amsdf.detector.storage.pretrained_views import architecture_of
from amsdf.files import write_text
from amsdf.scoring.calibration.calibration import FILE
from amsdf.scoring.calibration.fits import calibrate
from amsdf.scoring.reference import store_reference
from amsdf.scoring.score_files.table import Scores
from amsdf.scoring.training_data import KnownCorpora
from amsdf.training.plan import Plan, RunSettings, open_plan
from amsdf.training.processes import on_main, this_process
from amsdf.training.runs.run_folder import Progress
from amsdf.training.selection.validation import score_with_all_processes
from amsdf.training.trainer import train
from amsdf.weights import digest_of_tensors


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: `folder / "best"` is the detector, `amsdf.load(folder)` opens it."""

    folder: Path
    #: Of the detector in `best`; None without dev sets.
    dev_eer: float | None
    #: None without dev sets, and for a mean of the best weights.
    best_epoch: int | None


def train_detector(
    experiment: Experiment | Overrides,
    out: str | Path | None = None,
    data: Mapping[str, str | Path] | None = None,
    settings: RunSettings | None = None,
) -> TrainedRun:
    """Train a detector and calibrate it on its dev sets.

    Args:
        experiment: What to train: an experiment, or the overrides of a recipe or a file.
        out: The run folder; `runs/NAME` without it.
        data: Names of corpora and where they are, in addition to `$AMSDF_DATA` and `data.yaml`.
        settings: How the run is carried out: resumed, workers, trackers, progress.

    Example:
        >>> import amsdf
        >>> wanted = amsdf.Overrides(config="toy.yaml", train=["toy/train"], dev=["toy/dev"])
        >>> run = amsdf.train(wanted, out="runs/new", data={"toy": "toy"})
        >>> 0 <= run.dev_eer <= 1
        True
    """
    roots = roots_here([f"{name}={path}" for name, path in (data or {}).items()])
    if isinstance(experiment, Overrides):
        experiment, roots = named_experiment(experiment, roots, architecture_of)

    folder = Path(out or f"runs/{experiment.name}")
    progress = train_and_calibrate(experiment, open_plan(experiment, folder, roots, settings))
    return TrainedRun(
        folder,
        dev_eer=progress.best_eer if isfinite(progress.best_eer) else None,
        best_epoch=progress.best_epoch if progress.best_epoch >= 0 else None,
    )


def named_experiment(
    overrides: Overrides,
    roots: Mapping[str, Path],
    architecture_of: Callable[[str, str], Mapping[str, Any]],
) -> tuple[Experiment, dict[str, Path]]:
    """The experiment of overrides, paths of corpora replaced by names; and where the names are."""
    train_names, named = name_references(overrides.train, roots)
    dev_names, named = name_references(overrides.dev, named)
    overrides = replace(overrides, train=train_names, dev=dev_names)
    return build_experiment(overrides, architecture_of), named


def train_and_calibrate(experiment: Experiment, plan: Plan) -> Progress:
    """Train, then fit the calibration and the reference of the best detector."""
    progress = train(experiment, plan)
    folder = plan.folder / "best"
    on_main(lambda: KnownCorpora.of(plan.train_corpora or [plan.train], plan.dev).save(folder))
    if plan.dev:
        calibrate_on_dev(folder, plan)
    on_main(lambda: refer_to_training(folder, plan))
    return progress


def calibrate_on_dev(folder: Path, plan: Plan) -> None:
    """Write the calibration of a detector folder, fitted on all dev trials together."""
    detector = _open(folder, plan)
    about = {
        "clip": describe_rule(detector.experiment),
        "weights": digest_of_tensors(detector.state_dict()),
    }
    tables = []
    for dev in plan.dev:
        scores = score_with_all_processes(detector, dev, plan.workers, plan.cache)
        table = dev.table.drop("path", "corpus").with_columns(score=pl.Series(scores))
        header = {**about, "corpus": dev.name, "manifest_hash": dev.digest}
        tables.append(Scores(dev.name, table, header))
    on_main(lambda: write_text(folder / FILE, calibrate("logistic", tables).to_json()))


def refer_to_training(folder: Path, plan: Plan) -> None:
    """Write what the detector of a folder was trained on, in its embedding space."""
    detector = _open(folder, plan)
    batch_size = detector.experiment.train.eval_batch_size
    settings = ScoreSettings(batch_size, plan.workers, cache=plan.cache)
    store_reference(folder, detector, plan.train, plan.dev, settings)


def _open(folder: Path, plan: Plan) -> Detector:
    detector = Detector.from_pretrained(folder, plan.trust_remote_code)
    return detector.to(this_process().device)
