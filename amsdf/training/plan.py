"""What a training run works on: recordings, pretrained files, folder and workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.manifest import Manifest


@dataclass(frozen=True)
class Plan:
    """What `train` is given beside the experiment: everything that has a place."""

    folder: Path
    train: Manifest
    dev: Sequence[Manifest]
    find_pretrained: Callable[[str], Path]
    augment: Augmentation | None = None
    resume: bool = False
    workers: int = 0
    trackers: Sequence[str] = ()
    progress: bool = True
    #: Run the code of the model folders that the views name.
    trust_remote_code: bool = False
