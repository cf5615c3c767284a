"""From a path on the command line to a detector: ours, a run's best, or a published file."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from amsdf.detector import published
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.detector.storage.hub import fetched, is_hub_id
from amsdf.detector.storage.pretrained import pretrained_folders

PUBLISHED_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt")


def open_detector(
    path: str | Path,
    bonafide_class: int | None = None,
    trust_remote_code: bool = False,
    decide: Callable[[Detector], int | None] | None = None,
) -> tuple[str, Detector]:
    """Its name in tables and the detector, in evaluation mode.

    Args:
        path: A run folder, a detector folder, a published file, or a hub id.
        bonafide_class: Of a published file, which of its two classes is bona fide.
        trust_remote_code: Run the code of the model folders that a detector folder names.
        decide: Of a published file that leaves it open, finds the bona fide class.
    """
    name, place = find_detector(path)
    if place.is_dir():
        return name, Detector.from_pretrained(place, trust_remote_code)
    return name, published.load(place, bonafide_class=bonafide_class, decide=decide).eval()


def published_files(path: str | Path) -> list[Path]:
    """The published files in a folder that is no detector itself; else just `path`."""
    path = Path(path)
    ours = (checkpoint.EXPERIMENT, checkpoint.WEIGHTS, "best")
    if not path.is_dir() or any((path / name).exists() for name in ours):
        return [path]
    files = [file for file in sorted(path.iterdir()) if file.suffix in PUBLISHED_SUFFIXES]
    return files or [path]


def find_detector(path: str | Path) -> tuple[str, Path]:
    """Its name in tables, and its folder or published file; nothing is opened.

    A name that is no path here is looked up among the pretrained models, the shipped ones included.
    """
    if is_hub_id(str(path)):
        return str(path).partition("@")[0].rpartition("/")[2], fetched(str(path))
    path = _found(Path(path))
    if path.suffix in PUBLISHED_SUFFIXES and path.is_file():
        return path.stem, path
    folder = path if (path / checkpoint.WEIGHTS).is_file() else path / "best"
    if not (folder / checkpoint.WEIGHTS).is_file():
        kind = (
            "has no finished best/ inside"
            if (path / checkpoint.EXPERIMENT).is_file()
            else ("is not a detector" if path.exists() else "does not exist")
        )
        raise ValueError(
            f"{path}: {kind}; give a run folder, a detector folder "
            f"({checkpoint.EXPERIMENT} + {checkpoint.WEIGHTS}) or a published .pth"
        )
    return detector_name(folder), folder


def _found(path: Path) -> Path:
    if not path.exists() and len(path.parts) == 1:
        for folder in pretrained_folders():
            if (folder / path / checkpoint.EXPERIMENT).is_file():
                return folder / path
    return path


def experiments_of(paths: Iterable[str | Path]) -> dict[str, str]:
    """Name -> experiment in YAML of the detectors that are folders; nothing else is opened."""
    places = dict(find_detector(path) for path in paths)
    return {
        name: checkpoint.read_experiment(place).to_yaml()
        for name, place in places.items()
        if place.is_dir()
    }


def detector_name(folder: Path) -> str:
    """The name of a detector folder: that of its run when it is a run's best or last."""
    folder = folder.absolute()
    return folder.parent.name if folder.name in ("best", "last") else folder.name


def best_device(asked: str | None) -> torch.device:
    """The device asked for, or the best there is."""
    if asked:
        try:
            return torch.empty(0, device=asked).device
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {asked}: {str(error).splitlines()[0]}") from None
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
