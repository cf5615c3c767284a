"""The run folder: what made a detector, how it went, and the state to go on from.

experiment.yaml   resolved         last/       newest weights and `training.pt`
environment.json  what made it     best/       the detector to use
log.jsonl         one event a line failed.tsv  clips that were left out, if any
"""

import json
import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from amsdf.config import Experiment
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.files import make_folder, recover_folder, replace_folder, write_text
from amsdf.training.runs.environment import environment
from amsdf.weights import load_strictly

STATE, ENVIRONMENT, FAILED = "training.pt", "environment.json", "failed.tsv"
EPOCHS = "train.epochs"
#: Corpus name -> number of clips and digest.
Data = dict[str, dict[str, Any]]


@dataclass
class Progress:
    """How far training is; saved and restored as it is.

    A group of batches that moved no weights is no step: it is `skipped`, in fp16 for too large a
    scale or because it was `nonfinite`. `best_epoch` is -1 for none, or for a mean of weights.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best_eer: float = math.inf
    best_epoch: int = -1
    worse_in_a_row: int = 0
    skipped: int = 0
    nonfinite: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    finished: bool = False
    validated: int = -1
    averaged: dict[str, float] = field(default_factory=dict)
    bad_clips: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def mean_loss(self) -> float | None:
        """Of the steps of the epoch so far; None before the first."""
        return self.loss_sum / self.loss_count if self.loss_count else None


class RunFolder:
    """One such folder; `log` and `save_last` are called by the main process alone."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.best, self.last, self.averaged = (folder / n for n in ("best", "last", "averaged"))
        self.log_lines = 0

    def check_new(self) -> None:
        """Refuse a folder that holds a run already, or something else that would be replaced."""
        if (self.folder / checkpoint.EXPERIMENT).exists():
            raise ValueError(
                f"{self.folder}: holds a run already; give --resume to go on with it, "
                "or another --out"
            )
        for part in (self.best, self.last, self.averaged):
            if part.exists():
                raise ValueError(f"{part}: is there and of no run; give another --out")

    def create(self, experiment: Experiment, manifests: list[Manifest]) -> None:
        """Start the folder."""
        make_folder(self.folder)
        made_by = {**environment(), "data": data_of(manifests)}
        write_text(self.folder / ENVIRONMENT, json.dumps(made_by, indent=1))
        self.write_experiment(experiment)

    def check_resumable(self, experiment: Experiment, manifests: list[Manifest]) -> None:
        """Refuse to go on with a run of another experiment, or of other data.

        More epochs are no other experiment: they lengthen the run.
        """
        recover_folder(self.last)
        recover_folder(self.best)
        if not (self.folder / checkpoint.EXPERIMENT).is_file():
            raise ValueError(f"{self.folder}: holds no run to go on with; leave --resume out")
        stored = checkpoint.read_experiment(self.folder)
        wanted = differences(stored, experiment)
        if wanted.keys() == {EPOCHS} and experiment.train.epochs > stored.train.epochs:
            wanted = {}
        if wanted:
            raise ValueError(
                f"{self.folder}: is a run of another experiment ({'; '.join(wanted.values())}); "
                "with --resume only train.epochs may change, and only grow; give another --out"
            )
        file = self.folder / ENVIRONMENT
        if file.is_file():
            before = json.loads(file.read_text(encoding="utf-8"))["data"]
            refuse_other_data(self.folder, before, data_of(manifests))

    def write_experiment(self, experiment: Experiment) -> None:
        """What the run is; more epochs may be asked for later."""
        write_text(self.folder / checkpoint.EXPERIMENT, experiment.to_yaml())

    @property
    def remedy(self) -> str:
        """What helps against NaN, and what there is all the same."""
        kept = f"; what was best so far is in {self.best}" if self.best.exists() else ""
        return f"lower train.learning_rate or set train.clip_norm{kept}"

    def require_finite(self, state: dict[str, Tensor], step: int) -> None:
        """Refuse to keep weights that are NaN or infinite."""
        for key, value in state.items():
            if not value.isfinite().all():
                raise ValueError(
                    f"training stopped: {key} is not finite at step {step}; {self.remedy}"
                )

    def log(self, event: str, **values: Any) -> None:
        """Append one event."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **values}) + "\n")
        self.log_lines += 1

    def save_last(
        self, detector: Detector, weights: dict[str, Tensor], state: dict[str, Any]
    ) -> None:
        """Weights and training state in one move."""

        def write(fresh: Path) -> None:
            checkpoint.write_into(detector.content(weights), fresh, self.folder)
            torch.save({**state, "log_lines": self.log_lines}, fresh / STATE)

        replace_folder(self.last, write)

    def restore(self, detector: Detector) -> dict[str, Any] | None:
        """Weights into the detector and the training state back; None before the first save."""
        if not (self.last / STATE).is_file():
            return None
        load_strictly(detector, checkpoint.read_weights(self.last), self.last)
        try:
            return torch.load(self.last / STATE, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError):
            raise ValueError(
                f"{self.last / STATE}: is damaged or holds objects, which are not executed; "
                "start a new run with another --out"
            ) from None

    def truncate_log(self, lines: int) -> None:
        """Forget what was logged after the state was saved: it will be logged again."""
        path = self.folder / "log.jsonl"
        kept = path.read_text(encoding="utf-8").splitlines()[:lines] if path.is_file() else []
        write_text(path, "".join(f"{line}\n" for line in kept))
        self.log_lines = len(kept)


def differences(stored: Experiment, given: Experiment) -> dict[str, str]:
    """Dotted key -> what it is in the run and what is given, where they differ."""
    before, now = (_dotted("", each.model_dump(mode="json")) for each in (stored, given))
    return {
        key: f"{key}: {_shown(before, key)} in the run, {_shown(now, key)} given"
        for key in before | now
        if _shown(before, key) != _shown(now, key)
    }


def _dotted(prefix: str, value: Any) -> dict[str, Any]:
    """Nested mappings -> one, its keys joined by dots."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, part in value.items():
        found |= _dotted(f"{prefix}.{key}" if prefix else key, part)
    return found


def _shown(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "nothing"


def data_of(manifests: Sequence[Manifest]) -> Data:
    """What each corpus held."""
    return {
        manifest.name: {"clips": len(manifest), "digest": manifest.digest} for manifest in manifests
    }


def refuse_other_data(folder: Path, before: Data, now: Data) -> None:
    """An error that names a corpus which is not what it was for the run in `folder`."""
    other = sorted(name for name in before | now if before.get(name) != now.get(name))
    if other:
        raise ValueError(
            f"{folder}: its run had other data as {', '.join(other)}; "
            "give the same data, or another --out"
        )
