"""A folder of Parquet files with scores, on any file system: complete files only, each row once.

While a collection is scored, a file is added every few seconds; who starts again reads which rows
are done. What failed is in `failed.parquet`, and is tried again.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem, FileType

FAILED = "failed.parquet"
_PART = "scores-{:06}.parquet"
_HEADER = b"amsdf"
#: A kill loses what was scored in the last seconds, or in this share of the time so far.
_SECONDS, _SHARE = 5.0, 0.01
_SCORES = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("utt", pa.string()), ("score", pa.float64())]
)
_REASONS = pa.schema([*list(_SCORES)[:3], ("reason", pa.string())])


@dataclass(frozen=True)
class ScoredRow:
    """A row of a file of the collection; with a reason there is no score."""

    file: str
    row: int
    utt: str
    score: float
    reason: str = ""


class ResultFolder:
    """Scores of a collection, and what they were made with.

    Args:
        files: Where the folder is.
        folder: Its path there.
        header: What decides the scores: a folder of other scores is refused.
    """

    def __init__(self, files: FileSystem, folder: str, header: Mapping[str, str]):
        self.files, self.folder = files, folder.rstrip("/")
        self.header = {_HEADER: json.dumps(dict(header), sort_keys=True).encode()}
        self.files.create_dir(self.folder, recursive=True)
        self.parts = self._complete_parts()
        self.failed: list[ScoredRow] = []
        self.waiting: list[ScoredRow] = []
        self.opened = self.written = time.monotonic()

    def _complete_parts(self) -> list[str]:
        listed = self.files.get_file_info(FileSelector(self.folder))
        names = sorted(each.base_name for each in listed if each.type == FileType.File)
        return [name for name in names if name.startswith("scores-")]

    def done(self) -> dict[str, np.ndarray]:
        """File -> the rows (n,) that have a score."""
        rows: dict[str, list[np.ndarray]] = {}
        for name in self.parts:
            table = self._read(name)
            encoded = table["file"].combine_chunks().dictionary_encode()
            numbers, places = table["row"].to_numpy(), encoded.indices.to_numpy()
            for place, file in enumerate(encoded.dictionary.to_pylist()):
                rows.setdefault(file, []).append(numbers[places == place])
        return {file: np.concatenate(parts) for file, parts in rows.items()}

    def _read(self, name: str) -> pa.Table:
        with self.files.open_input_file(f"{self.folder}/{name}") as file:
            table = pq.read_table(file, columns=["file", "row"])
        if (table.schema.metadata or {}).get(_HEADER) != self.header[_HEADER]:
            raise ValueError(
                f"{self.folder}: holds scores of another detector or of other settings; "
                "give another --out"
            )
        return table

    def add(self, scored: Sequence[ScoredRow]) -> None:
        """Keep some rows; they are on the disk within seconds."""
        self.failed += [each for each in scored if each.reason]
        self.waiting += [each for each in scored if not each.reason]
        now = time.monotonic()
        if self.waiting and now - self.written > max(_SECONDS, _SHARE * (now - self.opened)):
            self.flush()

    def flush(self) -> None:
        """Write what waits, as a file of its own."""
        if self.waiting:
            number = int(self.parts[-1].split("-")[1].split(".")[0]) + 1 if self.parts else 0
            self.parts.append(_PART.format(number))
            self._write(self.parts[-1], self.waiting, _SCORES)
            self.waiting = []
        self.written = time.monotonic()

    def finish(self) -> None:
        """Write the rest, and the list of what failed, if anything did."""
        self.flush()
        place = f"{self.folder}/{FAILED}"
        if self.failed:
            self._write(FAILED, self.failed, _REASONS)
        elif self.files.get_file_info(place).type == FileType.File:
            self.files.delete_file(place)

    def _write(self, name: str, scored: Sequence[ScoredRow], schema: pa.Schema) -> None:
        """Complete or not at all: under another name first."""
        rows = {key: [getattr(each, key) for each in scored] for key in schema.names}
        table = pa.table(rows, schema.with_metadata(self.header))
        fresh = f"{self.folder}/.{name}"
        with self.files.open_output_stream(fresh) as file:
            pq.write_table(table, file)
        self.files.move(fresh, f"{self.folder}/{name}")
