"""Which bytes a recording has: hashed once, and again when size or times of its file change."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from amsdf.audio.files.shards import ShardError, read_member, shard_of

FILE = "audio.jsonl"
#: Lines that are written at once; a process that is killed hashes so many again.
_AT_ONCE = 256
#: Size and times of a file. The time of change is in: whoever sets the other one back sets it.
_Stamp = tuple[int, int, int]


class AudioDigests:
    """Path -> digest, in a file of lines that several processes append to.

    Args:
        folder: Where the file is.
        shown: Whether there is a progress bar.
    """

    def __init__(self, folder: Path, shown: bool = False):
        self._file, self._shown = folder / FILE, shown
        self._known: dict[str, tuple[_Stamp, str]] = {}
        self._stamps: dict[Path, _Stamp] = {}

    def of(self, paths: Sequence[str]) -> list[str]:
        """The digest of each recording, 24 hexadecimal digits; '' of what cannot be read."""
        self._known = dict(self._read())
        self._stamps = {}  # files may have changed since the last call
        stamps = {path: self._stamp(Path(path)) for path in paths}
        new = [path for path, stamp in stamps.items() if stamp and not self._knows(path, stamp)]
        shown = self._shown and len(new) > _AT_ONCE
        bar = tqdm(total=len(new), desc="hashing recordings", unit="file", disable=not shown)
        with bar:
            for first in range(0, len(new), _AT_ONCE):
                group = new[first : first + _AT_ONCE]
                self._append({path: (stamps[path], digest_of_recording(path)) for path in group})
                bar.update(len(group))
        return [self._known[path][1] if stamps[path] else "" for path in paths]

    def _knows(self, path: str, stamp: _Stamp) -> bool:
        return path in self._known and self._known[path][0] == stamp

    def _stamp(self, path: Path) -> _Stamp | None:
        """Of the file, or of the shard that the recording is in; None where there is neither."""
        inside = None if path.is_file() else shard_of(path)
        file = inside[0] if inside else path
        if file not in self._stamps:
            try:
                state = file.stat()
            except OSError:
                return None
            self._stamps[file] = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        return self._stamps[file]

    def _read(self) -> Iterator[tuple[str, tuple[_Stamp, str]]]:
        if not self._file.is_file():
            return
        with self._file.open("rb") as lines:
            for line in lines:
                try:
                    path, stamp, digest = json.loads(line)
                except ValueError:  # an empty line, or one that was cut off
                    continue
                yield path, (tuple(stamp), digest)

    def _append(self, found: dict[str, tuple[_Stamp | None, str]]) -> None:
        lines = [json.dumps([path, stamp, digest]) for path, (stamp, digest) in found.items()]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:  # one call, begun on a new line: another process may have been killed in a line
            os.write(handle, ("\n" + "\n".join(lines) + "\n").encode())
        finally:
            os.close(handle)
        self._known |= found  # type: ignore[arg-type]


def digest_of_recording(path: str) -> str:
    """24 hexadecimal digits over the bytes of a file or of a member of a shard; '' without any."""
    place = Path(path)
    inside = None if place.is_file() else shard_of(place)
    try:
        if inside:
            return hashlib.sha256(read_member(*inside)).hexdigest()[:24]
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:24]
    except (OSError, ShardError):
        return ""
