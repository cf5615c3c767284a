"""A detector as a folder: `experiment.yaml` + `model.safetensors` (+ `calibration.json`,
`reference.safetensors`, `training_data.json`).

Loading is strict and executes nothing: a missing, strange or misshapen weight lists its key.
Weights of frozen encoders are in a file named by their content. The checkpoints of a run share it
by hard links, so that a frozen 300M model is stored once. Other files in the folder are the user's
and are kept.
"""

import logging
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from amsdf.config import Experiment
from amsdf.files import link_or_copy, replace_folder, write_text
from amsdf.weights import digest_of_tensors

EXPERIMENT, WEIGHTS = "experiment.yaml", "model.safetensors"
FROZEN_FILES = "frozen-*.safetensors"
#: Files that belong to the weights in the same folder and to no others.
OF_ITS_WEIGHTS = (
    "calibration.json",
    "reference.safetensors",
    "origin.json",
    "training_data.json",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What a detector folder holds: `frozen` names the entries of `state` that never train."""

    experiment: Experiment
    state: Mapping[str, Tensor]
    frozen: Collection[str] = ()

    def digest(self) -> str:
        """Twelve hexadecimal digits over the experiment and all weights."""
        return digest_of_tensors(self.state, self.experiment.to_yaml())


def save(content: Checkpoint, folder: Path) -> None:
    """Write the folder in one move; other files that are in it are kept.

    A calibration, or an origin, of other weights gets the name `calibration.of-<digest>.json`: it
    is not lost, and not applied to the new weights.
    """

    def write(fresh: Path) -> None:
        write_into(content, fresh, folder.parent)
        if folder.is_dir():
            _keep_others(folder, fresh, content)

    replace_folder(folder, write)


def _keep_others(folder: Path, fresh: Path, content: Checkpoint) -> None:
    """Link what is not ours from `folder` into `fresh`."""
    ours = {folder / EXPERIMENT, folder / WEIGHTS, *folder.glob(FROZEN_FILES)}
    others = [path for path in folder.iterdir() if path not in ours]
    names = {path: path.name for path in others}

    of_weights = [path for path in others if path.name in OF_ITS_WEIGHTS]
    before = _digest_at(folder) if of_weights else ""
    if of_weights and before != content.digest():
        names |= {path: f"{path.stem}.of-{before}{path.suffix}" for path in of_weights}

    for path, name in names.items():
        if name != path.name:
            log.warning("%s: belongs to the weights before; kept as %s", path, name)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, fresh / name, symlinks=True, copy_function=link_or_copy)
        else:
            link_or_copy(path, fresh / name)


def _digest_at(folder: Path) -> str:
    """The digest of the detector in a folder; 'unknown' where there is none, or a damaged one."""
    try:
        return Checkpoint(read_experiment(folder), read_weights(folder)).digest()
    except ValueError:
        return "unknown"


def write_into(content: Checkpoint, folder: Path, siblings: Path) -> None:
    """Write experiment and weights into `folder`; frozen files are linked from `siblings`."""
    write_text(folder / EXPERIMENT, content.experiment.to_yaml())

    frozen = {key: content.state[key] for key in content.frozen}
    trained = {key: value for key, value in content.state.items() if key not in frozen}

    metadata = {"format": "amsdf"}
    if frozen:  # one entry only: the library writes several in no fixed order
        metadata = {"frozen": _write_frozen(frozen, folder, siblings)}
    _save_tensors(trained, folder / WEIGHTS, metadata)


def _write_frozen(tensors: dict[str, Tensor], folder: Path, siblings: Path) -> str:
    digest = digest_of_tensors(tensors)
    name = f"frozen-{digest}.safetensors"
    for twin in siblings.glob(f"[!.]*/{name}"):  # one with a dot is being written, or was cut off
        if _holds(twin, digest):
            link_or_copy(twin, folder / name)
            return name
    _save_tensors(tensors, folder / name, {"format": "amsdf"})
    return name


def _holds(path: Path, digest: str) -> bool:
    """Whether a file has the content of its name: it may be damaged, or of anybody's making."""
    try:
        return digest_of_tensors(_read(path)[0]) == digest
    except (ValueError, OSError):
        return False


def _save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    save_file(_plain(tensors), path, metadata)
    path.chmod(0o644)  # the library writes for the owner alone


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
    """All tensors of a detector folder, the frozen file included; halves as float32."""
    tensors, metadata = _read(folder / WEIGHTS)
    if "frozen" in metadata:
        tensors |= _read(folder / Path(metadata["frozen"]).name)[0]
    return {
        key: tensor.float() if tensor.dtype == torch.float16 else tensor
        for key, tensor in tensors.items()
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the checkpoint is incomplete")
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: is not a safetensors file ({error}); write it again") from None
