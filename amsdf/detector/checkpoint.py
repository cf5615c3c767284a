"""A detector as a folder: `experiment.yaml` + `model.safetensors` (+ `calibration.json`).

Loading is strict and executes nothing: a missing, strange or misshapen weight lists its key.
Weights of frozen encoders lie in a file named by their content, hard-linked between the checkpoints
of a run, so that a frozen 300M model is stored once.
"""

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from amsdf.config import Experiment
from amsdf.files import replace_folder, write_text
from amsdf.weights import digest_of_tensors

EXPERIMENT, WEIGHTS = "experiment.yaml", "model.safetensors"


@dataclass(frozen=True)
class Content:
    """What a detector folder holds: `frozen` names the entries of `state` that never train."""

    experiment: Experiment
    state: Mapping[str, Tensor]
    frozen: Collection[str] = ()


def save(content: Content, folder: Path) -> None:
    """Write the folder in one move."""
    replace_folder(folder, lambda fresh: write_into(content, fresh, folder.parent))


def write_into(content: Content, folder: Path, siblings: Path) -> None:
    """Write experiment and weights into `folder`; frozen files are linked from `siblings`."""
    write_text(folder / EXPERIMENT, content.experiment.to_yaml())

    frozen = {key: content.state[key] for key in content.frozen}
    trained = {key: value for key, value in content.state.items() if key not in frozen}

    metadata = {"format": "amsdf"}
    if frozen:  # one entry only: the library writes several in no fixed order
        metadata = {"frozen": _write_frozen(frozen, folder, siblings)}
    _save_tensors(trained, folder / WEIGHTS, metadata)


def _write_frozen(tensors: dict[str, Tensor], folder: Path, siblings: Path) -> str:
    name = f"frozen-{digest_of_tensors(tensors)}.safetensors"
    for twin in siblings.glob(f"[!.]*/{name}"):  # one with a dot is being written, or was cut off
        link_or_copy(twin, folder / name)
        return name
    _save_tensors(tensors, folder / name, {"format": "amsdf"})
    return name


def _save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    save_file(_plain(tensors), path, metadata)
    path.chmod(0o644)  # the library writes for the owner alone


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system has them, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}


def read_experiment(folder: Path) -> Experiment:
    """The experiment of a detector folder."""
    path = folder / EXPERIMENT
    if not path.is_file():
        raise ValueError(
            f"{folder}: is not a detector folder (no {EXPERIMENT}); "
            "give a run's best/ or last/, or open a published file with `import`"
        )
    try:
        return Experiment.from_yaml(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: is not an experiment: {error}") from None


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a detector folder, the frozen file included."""
    tensors, metadata = _read(folder / WEIGHTS)
    if "frozen" in metadata:
        tensors |= _read(folder / Path(metadata["frozen"]).name)[0]
    return tensors


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the checkpoint is incomplete")
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: is not a safetensors file ({error}); write it again") from None
