"""Scores of a manifest while it is scored, so that an interrupted run goes on from there.

Of several processes each has a file of its own; the next run reads them all, however many it has.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from amsdf.files import write_atomically, write_text

#: Rows in a line of what an earlier run has scored.
_LINE = 1000


class PartialScores:
    """Scores so far, one batch a line, under a header that must be the same to go on.

    Args:
        path: The file of the first process; those of the others have their number in the name.
        header: What decides the scores.
        process: The number of this process.
    """

    def __init__(self, path: Path, header: Mapping[str, str], process: int = 0):
        self.first = path
        self.path = path.with_suffix(f".{process}.jsonl") if process else path
        self.header = json.dumps(header, sort_keys=True)

    def read(self, scores: np.ndarray) -> None:
        """Fill in what an interrupted run of the same work has scored of all rows (n,).

        What failed is tried again. By the first process alone: its file then holds what all have
        scored.
        """
        others = sorted(self.first.parent.glob(f"{self.first.stem}.*.jsonl"))
        for file in [self.first, *others]:
            self._read_file(file, scores)
        write_atomically(self.first, lambda place: self._write(place, scores))
        for file in others:
            file.unlink()

    def _read_file(self, file: Path, scores: np.ndarray) -> None:
        if not file.is_file():
            return
        with file.open(encoding="utf-8") as lines:
            if next(lines, "").rstrip("\n") != self.header:
                return
            for line in lines:
                try:
                    batch = json.loads(line)
                except ValueError:
                    break  # the line that was being written when the run ended
                scores[[int(row) for row in batch]] = list(batch.values())

    def _write(self, place: Path, scores: np.ndarray) -> None:
        rows = np.flatnonzero(~np.isnan(scores))
        with place.open("w", encoding="utf-8") as file:
            file.write(f"{self.header}\n")
            for first in range(0, len(rows), _LINE):
                some = rows[first : first + _LINE]
                file.write(_as_line(dict(zip(some.tolist(), scores[some].tolist(), strict=True))))

    def __enter__(self) -> None:
        if self.path != self.first:
            write_text(self.path, f"{self.header}\n")
        self.file = self.path.open("a", encoding="utf-8")

    def append(self, scores: dict[int, float]) -> None:
        """One batch: row -> score."""
        self.file.write(_as_line(scores))
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def remove(self) -> None:
        """The score file is written: the partial one has done its work."""
        self.path.unlink(missing_ok=True)


def _as_line(scores: Mapping[int, float]) -> str:
    return json.dumps(scores) + "\n"
