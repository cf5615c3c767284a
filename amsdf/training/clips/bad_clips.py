"""Training clips that cannot be used: a few are left out and listed, too many stop the run."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from amsdf.data.manifest import Manifest
from amsdf.files import write_atomically

COLUMNS = ("corpus", "utt", "path", "reason")


class BadClips:
    """What was left out of a run; of each clip its first reason.

    Args:
        file: Lists them.
        tolerance: `train.bad_clip_tolerance`, a share of the clips below 1, else a number.
        num_clips: Clips of the training set.
    """

    def __init__(self, file: Path, tolerance: float, num_clips: int):
        self.file, self.num_clips = file, num_clips
        self.limit = int(tolerance * num_clips if tolerance < 1 else tolerance)
        #: Utterance -> its line in the list.
        self.found: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.found)

    def add(self, manifest: Manifest, failed: Iterable[tuple[int, str]]) -> None:
        """Leave out some rows of a manifest, each with its reason."""
        for row, reason in failed:
            clip = manifest.table.row(row, named=True)
            self.found.setdefault(clip["utt"], (clip["corpus"], clip["utt"], clip["path"], reason))

    def require_tolerable(self, reason: str) -> None:
        """Stop where there are too many; `reason` says what the last of them were."""
        if len(self) > self.limit:
            raise ValueError(
                f"training stopped: {reason}; clips that cannot be used: {len(self)} of "
                f"{self.num_clips}, train.bad_clip_tolerance allows {self.limit}"
            )

    def write(self) -> None:
        """The list, if there is anything to list; by the main process alone."""
        if self.found:
            rows = list(self.found.values())
            table = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
            write_atomically(self.file, lambda fresh: table.write_csv(fresh, separator="\t"))
