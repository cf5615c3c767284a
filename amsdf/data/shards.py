"""What shards hold, as a table: Parquet files of Hugging Face and tar archives of webdataset.

Sound stays where it is: `path` goes into the shard. Parquet files are read some rows at a time, and
of an archive only the heads and the small files of facts, so that memory stays bounded.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from amsdf.audio.files.shards import ARCHIVE, TABLE, ShardError, audio_column, members, read_member
from amsdf.audio.files.sources import SUFFIXES

#: Columns that may name an utterance, the first that is there.
_NAMES = ("utt", "utterance_id", "utt_id", "id", "file", "filename", "file_name", "path", "__key__")
#: Rows of a table that are read at once.
_AT_ONCE = 256
#: `train-00000-of-00002`, `train-000000`, `train_12`: a number behind the name of a split.
_NUMBER = re.compile(r"[-_.]?\d+(-of-\d+)?(-[0-9a-f]{16})?$")
_TABLES = ("0000", "part", "shard", "data", "")


def find_shards(path: Path) -> list[Path]:
    """The shards that a file or folder is or holds, sorted; none where it is something else."""
    if path.is_file():
        return [path] if _is_shard(path) else []
    found = [*path.glob("*"), *path.glob("data/*"), *path.glob("*/*")]
    return sorted({file for file in found if file.is_file() and _is_shard(file)})


def _is_shard(path: Path) -> bool:
    if path.suffix.lower() == ARCHIVE:
        return True
    if path.suffix.lower() != TABLE:
        return False
    try:
        return bool(audio_column(path))
    except ShardError:
        return False


def read_shards(shards: Sequence[Path]) -> pl.DataFrame:
    """Columns `utt`, `path`, `split` and all plain facts; `label` in words where it has words."""
    tables = []
    for shard in shards:
        read = _read_table if shard.suffix.lower() == TABLE else _read_archive
        tables.append(read(shard.absolute()).with_columns(split=pl.lit(_split_of(shard))))
    table = pl.concat(tables, how="diagonal_relaxed")
    if table["utt"].is_duplicated().any():  # numbered anew in each shard
        place = pl.col("path").str.split("/").list.get(-2).str.split(".").list.first()
        table = table.with_columns(utt=pl.format("{}/{}", place, "utt"))
    return table


def _split_of(shard: Path) -> str:
    name = _NUMBER.sub("", shard.stem)
    return shard.parent.name if name.lower() in _TABLES else name


def _read_table(shard: Path) -> pl.DataFrame:
    audio, height = audio_column(shard)
    lazy = pl.scan_parquet(shard)
    plain = [
        name
        for name, kind in lazy.collect_schema().items()
        if not kind.is_nested() and kind != pl.Binary
    ]
    name = pl.col(audio).struct.field("path").alias("__file__")
    has_file = "path" in dict(lazy.collect_schema()[audio])  # type: ignore[call-overload]
    columns = [*plain, name] if has_file else plain
    pieces = [
        lazy.slice(first, _AT_ONCE).select(columns).collect()
        for first in range(0, height, _AT_ONCE)
    ]
    table = pl.concat(pieces).with_row_index("row")
    table = table.with_columns(utt=_utterances(table))
    place = pl.format("{}/{}", pl.lit(str(shard)), "row")
    words = _class_words(shard)
    table = table.with_columns(path=place).drop("row", "__file__", strict=False)
    return table.with_columns(_words(table[column], names) for column, names in words.items())


def _utterances(table: pl.DataFrame) -> pl.Series:
    for name in (*_NAMES, "__file__"):
        if name in table.columns and not table[name].null_count():
            words = table[name].cast(pl.String)
            if not words.is_duplicated().any():
                return words.alias("utt")
    return table["row"].cast(pl.String).alias("utt")


def _class_words(shard: Path) -> dict[str, list[str]]:
    """Column -> the words of its numbers, as Hugging Face keeps them beside the table."""
    try:
        text = pl.read_parquet_metadata(shard).get("huggingface", "{}")
        features = json.loads(text).get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        return {}
    named = {name: about["names"] for name, about in features.items() if "names" in about}
    return {name: list(words) for name, words in named.items()}


def _words(numbers: pl.Series, names: Sequence[str]) -> pl.Series:
    if not numbers.dtype.is_integer():
        return numbers
    return numbers.replace_strict(
        dict(enumerate(names)), default=numbers.cast(pl.String), return_dtype=pl.String
    )


def _read_archive(shard: Path) -> pl.DataFrame:
    rows = list(_samples(shard))
    if not rows:
        raise ShardError(f"{shard} holds no sound file")
    return pl.DataFrame(rows, infer_schema_length=None)


def _samples(shard: Path) -> Iterator[dict[str, Any]]:
    """A row for each sound file; files of the same name with other endings say what it is."""
    for member in members(shard):
        stem, _, ending = member.rpartition(".")
        if f".{ending.lower()}" in SUFFIXES:
            yield {**_facts(shard, stem), "utt": stem, "path": f"{shard}/{member}"}


def _facts(shard: Path, stem: str) -> dict[str, str]:
    """What `x.json` and `x.cls` say of `x.flac`; of `x.mic.flac`, too, where no others do."""
    folder, slash, name = stem.rpartition("/")
    known = members(shard)

    def beside(ending: str) -> str | None:
        names = (f"{stem}.{ending}", f"{folder}{slash}{name.partition('.')[0]}.{ending}")
        return next((name for name in names if name in known), None)

    facts: dict[str, str] = {}
    if file := beside("json"):
        try:
            content = json.loads(read_member(shard, file))
        except ValueError as error:
            raise ShardError(f"{shard}: {file} is not JSON ({error})") from None
        plain = content if isinstance(content, dict) else {}
        facts = {name: str(value) for name, value in plain.items() if _is_plain(value)}
    if file := beside("cls"):
        facts["label"] = read_member(shard, file).decode("utf-8", "replace").strip()
    return facts


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""
