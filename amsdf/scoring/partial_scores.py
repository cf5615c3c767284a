"""Scores of a manifest while it is scored, so that an interrupted run goes on from there.

Of several processes each has a file of its own; the next run reads them all, however many it has.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from amsdf.files import write_text


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

    def read(self) -> dict[int, float]:
        """What an interrupted run of the same work has scored; what failed is tried again.

        By the first process alone: its file then holds what all have scored.
        """
        others = sorted(self.first.parent.glob(f"{self.first.stem}.*.jsonl"))
        done: dict[int, float] = {}
        for file in [self.first, *others]:
            done |= self._scores_in(file)
        write_text(self.first, f"{self.header}\n{json.dumps(done)}\n")
        for file in others:
            file.unlink()
        return done

    def _scores_in(self, file: Path) -> dict[int, float]:
        lines = file.read_text("utf-8").splitlines() if file.is_file() else []
        done: dict[int, float] = {}
        if not lines or lines[0] != self.header:
            return done
        for line in lines[1:]:
            try:
                done |= {int(row): score for row, score in json.loads(line).items()}
            except ValueError:
                break  # the line that was being written when the run ended
        return done

    def __enter__(self) -> None:
        if self.path != self.first:
            write_text(self.path, f"{self.header}\n")
        self.file = self.path.open("a", encoding="utf-8")

    def append(self, scores: dict[int, float]) -> None:
        """One batch: row -> score."""
        self.file.write(json.dumps(scores) + "\n")
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def remove(self) -> None:
        """The score file is written: the partial one has done its work."""
        self.path.unlink(missing_ok=True)
