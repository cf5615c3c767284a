"""What a cluster is given to do: units of clips, of a manifest or of a Parquet file anywhere.

A unit is sent to a worker, which reads its clips. Places are local or, as `s3://bucket/folder`, on
any file system that pyarrow knows. Sound is in a column of the file, or beside it at `path`.
"""

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem, LocalFileSystem

from amsdf.data.manifest import Manifest

#: A place that is not a local path.
REMOTE = "://"
#: Columns that may name an utterance, the first that is there.
NAMES = ("utt", "utterance_id", "id", "path")
#: Rows of a Parquet file that are read at once.
_AT_ONCE = 32
#: Units of one run: more would only burden the scheduler.
_MOST_UNITS = 5_000


@dataclass(frozen=True)
class SourceClip:
    """A recording and what it is called; its bytes are in `content`, else `name` is its path."""

    row: int
    utt: str
    name: str
    content: bytes | None = None
    start: float | None = None
    end: float | None = None
    #: Why there is no content.
    reason: str = ""


class WorkUnit(Protocol):
    """Clips that are read by one worker, in the same order each time."""

    def clips(self) -> Iterator[SourceClip]:
        """The clips."""


@dataclass(frozen=True)
class ManifestUnit:
    """Some rows of a manifest whose files every machine finds under the same paths."""

    rows: Sequence[SourceClip]

    def clips(self) -> Iterator[SourceClip]:
        """The clips."""
        return iter(self.rows)


def manifest_units(manifest: Manifest, rows: Sequence[int], size: int) -> list[ManifestUnit]:
    """Some rows of a manifest, `size` or more a unit."""
    utts, paths = manifest.table["utt"], manifest.table["path"]
    starts, ends = (manifest.seconds(name) for name in ("start", "end"))
    size = max(size, -(-len(rows) // _MOST_UNITS))
    clips = [
        SourceClip(row, utts[row], paths[row], None, starts[row], ends[row])
        for row in map(int, rows)  # a column is not indexed by numpy's numbers
    ]
    return [ManifestUnit(clips[first : first + size]) for first in range(0, len(clips), size)]


@dataclass(frozen=True)
class FileUnit:
    """Rows `first` to `stop` of a Parquet file, without those of `skip`."""

    files: FileSystem
    file: str
    first: int
    stop: int
    skip: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def clips(self) -> Iterator[SourceClip]:
        """The clips, a few rows of the file in memory at a time."""
        with self.files.open_input_file(self.file) as opened:
            table = pq.ParquetFile(opened)
            audio = audio_column(self.file, table.schema_arrow)
            wanted = {*NAMES, "start", "end", audio or "path"} & set(table.schema_arrow.names)
            for row, values in _rows(table, sorted(wanted), self.first, self.stop):
                if row not in self.skip:
                    yield self._clip(row, values, audio)

    def _clip(self, row: int, values: Mapping[str, Any], audio: str | None) -> SourceClip:
        times = {name: values.get(name) for name in ("start", "end")}
        utt = next((str(values[name]) for name in NAMES if values.get(name)), str(row))
        name = f"{self.file}/{row}"
        if audio:
            cell = values[audio]
            content = cell.get("bytes") if isinstance(cell, dict) else cell
            reason = "" if content else f"{name}: holds no sound; embed it"
            return SourceClip(row, utt, name, content, **times, reason=reason)
        if not values["path"]:
            return SourceClip(row, utt, name, reason=f"{name}: has no path")
        return self._beside(row, utt, str(values["path"]), times)

    def _beside(self, row: int, utt: str, path: str, times: dict[str, Any]) -> SourceClip:
        """A clip at its path, from the folder of the file on; local ones are not read here."""
        files, place = self.files, path
        if REMOTE in path:
            files, place = FileSystem.from_uri(path)
        elif not path.startswith("/"):
            place = posixpath.normpath(f"{self.file.rpartition('/')[0]}/{path}")
        if isinstance(files, LocalFileSystem):
            return SourceClip(row, utt, place, None, **times)
        try:
            with files.open_input_file(place) as opened:
                return SourceClip(row, utt, path, opened.read(), **times)
        except OSError as error:
            return SourceClip(
                row, utt, path, reason=f"{path}: cannot be read ({_first_line(error)})"
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _rows(
    table: pq.ParquetFile, columns: list[str], first: int, stop: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows `first` to `stop` with their numbers; groups of rows without any are not read."""
    row = 0
    for group in range(table.metadata.num_row_groups):
        behind = row + table.metadata.row_group(group).num_rows
        if row < stop and behind > first:
            for batch in table.iter_batches(_AT_ONCE, row_groups=[group], columns=columns):
                if row < stop and row + len(batch) > first:
                    values = batch.to_pylist()
                    yield from (
                        (row + i, v) for i, v in enumerate(values) if first <= row + i < stop
                    )
                row += len(batch)
        row = behind


def audio_column(file: str, schema: pa.Schema) -> str | None:
    """The column of a file that holds sound: bytes, or a struct with `bytes`; None: at `path`."""
    found = [column.name for column in schema if _is_sound(column.type)]
    if found:
        return "audio" if "audio" in found else found[0]
    if "path" not in schema.names:
        raise ValueError(
            f"{file}: has neither a column of sound (bytes) nor a column 'path'; "
            f"it has {', '.join(map(repr, schema.names))}"
        )
    return None


def _is_sound(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_sound(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def file_units(
    files: FileSystem, heights: Mapping[str, int], done: Mapping[str, np.ndarray], size: int
) -> list[FileUnit]:
    """The rows of Parquet files that are not `done`, `size` or more a unit."""
    size = max(size, -(-sum(heights.values()) // _MOST_UNITS))
    nothing = np.zeros(0, np.int64)
    units = []
    for file, height in heights.items():
        rows = done.get(file, nothing)
        for first in range(0, height, size):
            stop = min(first + size, height)
            skip = rows[(rows >= first) & (rows < stop)]
            if len(skip) < stop - first:
                units.append(FileUnit(files, file, first, stop, skip))
    return units


def open_place(place: str) -> tuple[FileSystem, str]:
    """The file system of a place, and its path there."""
    if REMOTE not in place:
        return LocalFileSystem(), os.path.abspath(place)
    try:
        return FileSystem.from_uri(place)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{place}: cannot be opened ({_first_line(error)})") from None
