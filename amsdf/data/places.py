"""Where the sound of each row of a manifest is, without a Python object a row.

A list of two million paths would take half a gigabyte, and each worker would copy it by and by: to
count references writes into an object. Columns are only read, so forked workers share them.
"""

from collections.abc import Sequence

import numpy as np

from amsdf.data.manifest import Manifest

#: Path, and the times in seconds of the part; None: from the beginning, to the end.
Place = tuple[str, float | None, float | None]


class Places(Sequence[Place]):
    """The columns `path`, `start` and `end` of a manifest."""

    def __init__(self, manifest: Manifest):
        self.paths = manifest.table["path"].rechunk()
        self._starts, self._ends = (_times(manifest, name) for name in ("start", "end"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Place:  # type: ignore[override]
        row = int(row)  # polars does not take numpy's
        return self.paths[row], _time(self._starts, row), _time(self._ends, row)


def _times(manifest: Manifest, name: str) -> np.ndarray | None:
    """Seconds (n,), not-a-number where a cell is empty; None where all are."""
    if name not in manifest.table.columns:
        return None
    seconds = manifest.seconds(name)
    return None if seconds.null_count() == len(seconds) else seconds.to_numpy()


def _time(times: np.ndarray | None, row: int) -> float | None:
    return None if times is None or np.isnan(times[row]) else float(times[row])
