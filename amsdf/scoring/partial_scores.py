"""Scores of a manifest while it is scored, so that an interrupted run goes on from there."""

import json
from collections.abc import Mapping
from pathlib import Path

from amsdf.files import write_text


class PartialScores:
    """Scores so far, one batch a line, under a header that must be the same to go on."""

    def __init__(self, path: Path, header: Mapping[str, str]):
        self.path = path
        self.header = json.dumps(header, sort_keys=True)

    def read(self) -> dict[int, float]:
        """What an interrupted run of the same work has scored; what failed is tried again."""
        lines = self.path.read_text("utf-8").splitlines() if self.path.is_file() else []
        done: dict[int, float] = {}
        if lines and lines[0] == self.header:
            for line in lines[1:]:
                try:
                    done |= {int(row): score for row, score in json.loads(line).items()}
                except ValueError:
                    break  # the line that was being written when the run ended
        write_text(self.path, f"{self.header}\n{json.dumps(done)}\n")
        return done

    def __enter__(self) -> None:
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
