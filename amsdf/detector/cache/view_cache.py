"""`ViewCache`: the views of a detector's frozen encoders, made where they are missing, then read.

cache = ViewCache(Path("views"))
parts = cache.parts(detector, manifest, rows, "fp32")      # fills what is missing
parts.parts(3)                                             # the parts of row 3 with their views
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import Tensor
from tqdm import tqdm

from amsdf.data.dataset import Key, TrainingTransform
from amsdf.data.manifest import Manifest
from amsdf.detector.cache.audio_digests import AudioDigests
from amsdf.detector.cache.filling import Filler, Team, training_formats
from amsdf.detector.cache.sounds import CropSounds, PartSounds, Sounds
from amsdf.detector.cache.store import DTYPES, ViewStore
from amsdf.detector.detector import Detector
from amsdf.detector.inference.cutting import RecordingPart
from amsdf.detector.inference.precision import formats

#: Without a limit, a cache may grow by this share of what is free on its disk.
_SHARE_OF_FREE = 0.5
GB = 10**9


@dataclass(frozen=True)
class KeptViews:
    """A reader of kept views: folders in the store by the name of the view."""

    store: ViewStore
    folders: Mapping[str, str]

    @classmethod
    def of(cls, filler: Filler) -> Self:
        """What a filler keeps."""
        return cls(filler.store, {name: key.folder for name, key in filler.encoders.items()})

    def read(
        self, key: str, names: Sequence[str] | None = None
    ) -> tuple[dict[str, Tensor], Mapping[str, str]] | None:
        """Views of a sound, (N, D) or (L, N, D), and what is known of it; None if any lacks."""
        views: dict[str, Tensor] = {}
        about: Mapping[str, str] = {}
        for name in self.folders if names is None else names:
            kept = self.store.read(self.folders[name], key)
            if kept is None:
                return None
            views[name], about = kept.view, kept.about
        return views, about


@dataclass(frozen=True)
class KeptParts:
    """The parts of the rows of a manifest with their views; `complete` says that all views are."""

    views: KeptViews
    sounds: PartSounds
    complete: bool

    def parts(self, row: int) -> list[RecordingPart] | None:
        """The parts of a row, silent, with their views; None where not all is kept."""
        first = self.views.read(self.sounds.key(row, 0))
        if first is None:
            return None
        table = json.loads(first[1]["parts"])
        found = [first, *(self.views.read(self.sounds.key(row, n)) for n in range(1, len(table)))]
        parts = [
            RecordingPart(_silence(samples), start, end, power, part is found[-1], row, part[0])
            for part, (start, end, power, samples) in zip(found, table, strict=True)
            if part is not None
        ]
        return parts if len(parts) == len(table) else None


def _silence(samples: int) -> np.ndarray:
    """(samples,) zeros that take no memory: a sound that no encoder will hear."""
    return np.broadcast_to(np.float32(0), (samples,))


@dataclass(frozen=True)
class KeptCrops:
    """The training crops of a manifest, with their views."""

    views: KeptViews
    sounds: CropSounds

    def crops(self, key: Key, names: Sequence[str]) -> list[tuple[int, dict[str, Tensor]]] | None:
        """Samples and views of the crop, and of its pair; None where not all is kept."""
        found = [self.views.read(each, names) for each in self.sounds.keys(key)]
        kept = [(int(each[1]["samples"]), each[0]) for each in found if each is not None]
        return kept if len(kept) == len(found) else None


class ViewCache:
    """A folder of views, filled on demand.

    Args:
        folder: Where it is.
        stored: The number format of what is written: fp32, bf16 or fp16.
        limit: How many bytes may be added at once; None: half of what is free on the disk.
        shown: Whether there are progress bars.
    """

    def __init__(
        self, folder: Path, stored: str = "fp32", limit: int | None = None, shown: bool = False
    ):
        if stored not in DTYPES:
            raise ValueError(f"--cache-dtype {stored}: choose from {', '.join(DTYPES)}")
        self.folder, self.stored, self.limit, self.shown = folder, stored, limit, shown
        self.store = ViewStore(folder)
        self._digests: dict[int, tuple[Manifest, list[str]]] = {}
        self._filled: set[str] = set()
        #: How many clips were encoded; of those that could not be read, the reasons.
        self.num_made = 0
        self.failed: list[str] = []

    def parts(
        self,
        detector: Detector,
        manifest: Manifest,
        rows: Sequence[int],
        precision: str,
        team: Team | None = None,
    ) -> KeptParts | None:
        """The parts of some rows, filled; None where no view of the detector is frozen."""
        chosen = formats(detector.encoders, precision, detector.device)
        filler = Filler.of(detector, self.store, chosen, self.stored)
        if not filler.encoders:
            return None
        sounds = PartSounds(manifest, detector.experiment, self._digests_of(manifest))
        self._fill(filler, sounds, list(rows), team, manifest.name)
        complete = len(filler.encoders) == len(detector.encoders)
        return KeptParts(KeptViews.of(filler), sounds, complete)

    def crops(
        self,
        detector: Detector,
        manifest: Manifest,
        transform: TrainingTransform,
        share: slice = slice(None),
        team: Team | None = None,
    ) -> KeptCrops:
        """The training crops of a manifest, a share of them filled."""
        filler = Filler.of(detector, self.store, training_formats(detector), self.stored)
        sounds = CropSounds(manifest, detector.experiment, self._digests_of(manifest), transform)
        self._fill(filler, sounds, sounds.tasks()[share], team, f"{manifest.name} crops")
        return KeptCrops(KeptViews.of(filler), sounds)

    def _digests_of(self, manifest: Manifest) -> list[str]:
        """Of the audio of each row, looked at once in a process."""
        if id(manifest) not in self._digests:
            paths = manifest.table["path"].to_list()
            found = AudioDigests(self.folder, self.shown).of(paths)
            self._digests[id(manifest)] = (manifest, found)  # kept alive, so the id stays its own
        return self._digests[id(manifest)][1]

    def _fill(
        self,
        filler: Filler,
        sounds: Sounds,
        tasks: Sequence[Any],
        team: Team | None,
        what: str,
    ) -> None:
        """Encode what is missing, once in a process."""
        made_by = " ".join(encoder.folder for encoder in filler.encoders.values())
        keys = {task: {f"{made_by} {key}" for key in sounds.keys(task)} for task in tasks}
        missing = [task for task in tasks if not keys[task] <= self._filled]
        missing = [task for task in missing if not filler.is_done(sounds, task)]
        if missing:
            self._refuse_too_much(filler.bytes_of(sounds, missing), len(missing), what)
            done = team.fill(filler, sounds, missing) if team else filler.fill(sounds, missing)
            bar = tqdm(done, f"caching {what}", len(missing), unit="clip", disable=not self.shown)
            for reason in bar:
                self.num_made += not reason
                self.failed += [reason] if reason else []
        self._filled.update(*keys.values())

    def _refuse_too_much(self, needed: int, clips: int, what: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        limit = free * _SHARE_OF_FREE if self.limit is None else self.limit
        if needed > limit:
            half = "" if self.limit else " (half of what is free on the disk)"
            raise ValueError(
                f"{self.folder}: the views of {clips} clips of {what} take about "
                f"{needed / GB:.3g} GB, the limit is {limit / GB:.3g} GB{half}; give a larger "
                "--limit to `cache build`, --cache-dtype fp16, or fewer clips"
            )
