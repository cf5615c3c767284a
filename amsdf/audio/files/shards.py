"""Recordings inside a shard: a tar archive (webdataset) or a Parquet file (Hugging Face).

A path goes into a shard as into a folder: `train-000000.tar/a1.flac` is a member of an archive, and
`data/train-00000-of-00002.parquet/17` is row 17 of a table. So a path alone names a clip, in every
table and in every process. A shard is indexed once in a process; a clip is read by itself.
"""

import tarfile
from functools import lru_cache
from pathlib import Path

import polars as pl

ARCHIVE, TABLE = ".tar", ".parquet"
#: How many archives stay indexed; an index takes about 200 bytes for a member.
_INDEXED = 1024


class ShardError(ValueError):
    """A shard that cannot be read, or has no such member; the message says which."""


def shard_of(path: Path) -> tuple[Path, str] | None:
    """The shard that a path goes into and the member's name; None of a path of a plain file."""
    for place in path.parents:
        if place.suffix.lower() in (ARCHIVE, TABLE) and place.is_file():
            return place, path.relative_to(place).as_posix()
    return None


def read_member(shard: Path, name: str) -> bytes:
    """The bytes of one recording in a shard."""
    if shard.suffix.lower() == TABLE:
        return _cell(shard, name)
    place = members(shard).get(name)
    if place is None:
        raise ShardError(f"{shard} has no member {name!r}")
    with shard.open("rb") as file:
        file.seek(place[0])
        content = file.read(place[1])
    if len(content) < place[1]:
        raise ShardError(f"{shard} is cut off in its member {name!r}; copy or download it again")
    return content


def has_member(shard: Path, name: str) -> bool:
    """Whether a shard holds a recording of this name."""
    try:
        if shard.suffix.lower() == TABLE:
            return name.isdecimal() and int(name) < audio_column(shard)[1]
        return name in members(shard)
    except ShardError:
        return False


def members(shard: Path) -> dict[str, tuple[int, int]]:
    """Name -> where its bytes begin and how many they are, of every file in an archive."""
    return _members(shard, *_identity(shard))


def audio_column(shard: Path) -> tuple[str, int]:
    """The column of a table that holds sound, and how many rows it has."""
    return _audio_column(shard, *_identity(shard))


def has_read_tables() -> bool:
    """Whether this process has looked into a Parquet file for sound."""
    return bool(_audio_column.cache_info().currsize)


def _identity(shard: Path) -> tuple[int, int]:
    state = shard.stat()
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=_INDEXED)
def _members(shard: Path, size: int, changed: int) -> dict[str, tuple[int, int]]:
    try:
        with tarfile.open(shard, "r:") as archive:  # packed ones cannot be entered anywhere
            found = {item.name: (item.offset_data, item.size) for item in archive if item.isfile()}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ShardError(f"{shard} is not a whole tar archive ({error})") from None
    return {name.removeprefix("./"): place for name, place in found.items()}


@lru_cache(maxsize=_INDEXED)
def _audio_column(shard: Path, size: int, changed: int) -> tuple[str, int]:
    try:
        table = pl.scan_parquet(shard)
        schema = table.collect_schema()
        holds = [name for name, kind in schema.items() if _is_audio(kind)]
        if not holds:
            raise ShardError(f"{shard} has no column of sound, with bytes and path")
        name = "audio" if "audio" in holds else holds[0]
        return name, table.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ShardError(f"{shard} is not a Parquet file ({str(error).splitlines()[0]})") from None


def _is_audio(kind: pl.DataType) -> bool:
    """Hugging Face writes sound as a struct of its bytes and the name of its file."""
    return isinstance(kind, pl.Struct) and dict(kind).get("bytes") == pl.Binary


def _cell(shard: Path, row: str) -> bytes:
    name, height = audio_column(shard)
    if not row.isdecimal() or int(row) >= height:
        raise ShardError(f"{shard} has no row {row!r}; it has {height}")
    try:
        cell = pl.scan_parquet(shard).slice(int(row), 1).select(pl.col(name).struct.field("bytes"))
        content = cell.collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ShardError(f"{shard}: row {row} cannot be read ({error})") from None
    if content is None:
        raise ShardError(f"{shard}: row {row} names a file and holds no sound; embed it")
    return bytes(content)
