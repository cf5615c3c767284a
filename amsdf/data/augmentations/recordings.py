"""Recordings that augmentations draw from: noise, voices, impulse responses."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from amsdf.audio.files.reading import read_audio
from amsdf.audio.files.sources import is_there
from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.manifest import read_manifest
from amsdf.registry import nearest


def find_recordings(source: str, roots: Mapping[str, Path]) -> list[Path]:
    """All recordings of `source`: the name of a data root, or `name/part`.

    A root is a folder of recordings or a manifest. A part is a folder below it, or a split of the
    manifest.
    """
    name, _, part = source.partition("/")
    if name not in roots:
        raise ValueError(
            f"no data root {name!r} for source {source!r}.{nearest(name, roots)} "
            f"Give --data {name}=PATH; roots: {', '.join(roots) or 'none'}"
        )
    root = Path(roots[name])
    if part and (root / part).exists():
        manifest = read_manifest(root / part, labelled=False)
    else:
        manifest = read_manifest(root, labelled=False)
        manifest = manifest.select(part) if part else manifest
    paths = [Path(path) for path in manifest.table["path"]]
    missing = [path for path in paths if not is_there(str(path))]
    if missing:
        raise ValueError(
            f"source {source!r}: {len(missing)} of {len(paths)} recordings are not there, "
            f"the first is {missing[0]}"
        )
    return paths


class FromRecordings(Augmentation):
    """An augmentation that needs the recordings of a `source`, or none where that is None."""

    def __init__(self, source: str | None, p: float):
        super().__init__(p)
        self.source = source
        self.paths: list[Path] = []

    def prepare(self, roots: Mapping[str, Path]) -> None:
        """List the recordings of the source."""
        if self.source is not None:
            self.paths = find_recordings(self.source, roots)

    def recording(self, rng: np.random.Generator) -> np.ndarray:
        """One whole recording (S,)."""
        assert self.paths, "prepare() comes before the first call"
        return read_audio(self.paths[rng.integers(len(self.paths))])

    def excerpt(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """(length,) of a recording; it begins with a sound and goes round at the end."""
        recording = self.recording(rng)
        start = rng.choice(np.flatnonzero(recording))
        return np.resize(np.roll(recording, -start), length)
