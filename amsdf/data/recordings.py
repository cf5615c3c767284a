"""Recordings to be judged: files, folders, patterns, lists and tables as one manifest."""

import glob
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from amsdf.audio.files.shards import shard_of
from amsdf.data.folders import files_below
from amsdf.data.manifest import Manifest, build_manifest, find_table, read_manifest

#: Texts with one path a line; by their names alone, never by their content.
LIST_SUFFIXES = (".txt", ".lst")


def gather_recordings(inputs: Sequence[str | Path]) -> Manifest:
    """All recordings of some files, folders, lists and manifests; paths tell apart equal names."""
    tables = [_read(Path(given)).table for given in inputs]
    table = pl.concat(tables, how="diagonal_relaxed").unique(maintain_order=True)
    if len(tables) > 1:  # a file, and the folder that holds it
        same = [column for column in ("path", "start", "end") if column in table.columns]
        table = table.unique(same, keep="first", maintain_order=True)
    if table["utt"].is_duplicated().any():
        table = table.with_columns(utt="path")
    return Manifest("recordings", table)


def expand_patterns(inputs: Sequence[str]) -> list[str]:
    """Patterns such as `calls/*.wav` replaced by what they match, sorted; the rest stays."""
    found: list[str] = []
    for given in inputs:
        if Path(given).exists() or not glob.has_magic(given):
            found.append(given)
            continue
        matches = sorted(glob.glob(given, recursive=True))
        if not matches:
            raise ValueError(f"{given}: no file matches; * stands for any part of a name")
        found += matches
    return found


def _read(path: Path) -> Manifest:
    if path.suffix.lower() in LIST_SUFFIXES and path.is_file():
        return _read_list(path)
    return read_manifest(path, labelled=False)


def _read_list(path: Path) -> Manifest:
    """A text of paths, relative to its folder or to here; a line that begins with # is none."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not a list of paths in UTF-8, one a line") from None
    paths = [line for line in dict.fromkeys(lines) if line and not line.startswith("#")]
    if not paths:
        raise ValueError(f"{path}: lists no recording; write one path a line")
    places = [path.parent.absolute() / line for line in paths]
    places = [
        place if place.exists() else Path(line).absolute()
        for line, place in zip(paths, places, strict=True)
    ]
    table = pl.DataFrame({"utt": paths, "path": [str(place) for place in places]})
    return build_manifest(path.stem, table)


def left_out(inputs: Sequence[str | Path], recordings: Manifest) -> list[str]:
    """A line for each folder that holds other files too; the table of a folder is complete.

    Files whose names begin with a dot are notes of a system and do not count.
    """
    paths = recordings.table["path"]
    shards = {str(inside[0]) for path in paths if (inside := shard_of(Path(path)))}
    taken, lines = {*paths, *shards}, []
    for folder in (Path(given) for given in inputs if Path(given).is_dir()):
        files = [file for file in files_below(folder.absolute()) if file.name[0] != "."]
        others = [file for file in files if str(file) not in taken]
        if others and not find_table(folder):
            kinds = sorted({file.suffix.lower() or "no suffix" for file in others})
            shown = f"{', '.join(kinds[:5])}{' …' * (len(kinds) > 5)}"
            lines.append(f"{len(others)} other files in {folder} left out ({shown})")
    return lines
