"""Are there clips that two sets share: the same file, a copy of it, or the same utterance?"""

import hashlib
import os
from io import BytesIO
from pathlib import Path

import polars as pl

from amsdf.audio.files.shards import ARCHIVE, ShardError, has_member, members, read_member, shard_of
from amsdf.data.manifest import Manifest

#: Files of one size are told apart by this many bytes of their middle, before all is read.
_PROBE = 4096
#: Clips whose files are looked up at once.
_AT_ONCE = 100_000


def find_files(manifest: Manifest) -> pl.DataFrame:
    """A manifest's clips with `size` and identity (`file`) of their files, null where missing."""
    schema = {"file": pl.String, "size": pl.Int64}
    facts = [  # of millions of clips the rows would be as many Python objects at once
        pl.DataFrame([_facts(path) for path in rows["path"]], schema, orient="row")
        for rows in manifest.table.iter_slices(_AT_ONCE)
    ]
    return manifest.table.select("utt", "corpus", "path").with_columns(
        *pl.concat(facts),
        start=manifest.seconds("start").fill_null(0.0),
        end=manifest.seconds("end").fill_null(float("inf")),
    )


def _facts(path: str) -> tuple[str | None, int | None]:
    try:
        found = os.stat(path)
    except OSError:
        return _facts_inside(Path(path))
    return f"{found.st_dev}:{found.st_ino}", found.st_size


def _facts_inside(path: Path) -> tuple[str | None, int | None]:
    """Of a clip in a shard; those in Parquet are not weighed, for that takes reading them all."""
    inside = shard_of(path)
    if inside is None or not has_member(*inside):
        return None, None
    shard, name = inside
    found = shard.stat()
    size = members(shard)[name][1] if shard.suffix.lower() == ARCHIVE else None
    return f"{found.st_dev}:{found.st_ino}/{name}", size


def find_shared(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Rows `utt`, `utt_right` of clips that two tables of `find_files` share.

    They are the same utterance of a corpus, or overlapping times of one file or of equal files.
    """
    pairs = ["utt", "utt_right"]
    same_utt = first.join(second, on=["corpus", "utt"], coalesce=False)
    same_file = _overlapping(first.join(second, on="file"))
    for key in ("size", "probe", "digest"):  # what costs more is asked of the few still alike
        one, other = (_with_content(table, key) for table in (first, second))
        first, second = one.join(other, on=key, how="semi"), other.join(one, on=key, how="semi")
    copies = _overlapping(first.join(second, on="digest"))
    found = [table.select(pairs) for table in (same_utt, same_file, copies)]
    return pl.concat(found).unique(maintain_order=True)


def _overlapping(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.filter(
        (pl.col("start") < pl.col("end_right")) & (pl.col("start_right") < pl.col("end"))
    )


def _with_content(table: pl.DataFrame, key: str) -> pl.DataFrame:
    """With the digest of a piece of each file (`probe`) or of all of it (`digest`)."""
    if key in table.columns:
        return table
    digests = {path: _digest(path, key == "probe") for path in table["path"].unique()}
    column = [digests[path] for path in table["path"]]
    return table.with_columns(pl.Series(key, column, dtype=pl.String))


def _digest(path: str, piece: bool) -> str | None:
    try:
        inside = None if os.path.isfile(path) else shard_of(Path(path))
        with BytesIO(read_member(*inside)) if inside else open(path, "rb") as file:
            if not piece:
                return hashlib.file_digest(file, "blake2b").hexdigest()
            file.seek(max(0, file.seek(0, os.SEEK_END) // 2 - _PROBE // 2))
            return hashlib.blake2b(file.read(_PROBE)).hexdigest()
    except (OSError, ShardError):
        return None
