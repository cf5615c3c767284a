"""Recordings to be judged: files, folders and tables as one manifest."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from amsdf.data.manifest import Manifest, files_below, find_table, read_manifest


def gather_recordings(inputs: Sequence[str | Path]) -> Manifest:
    """All recordings of some files, folders and manifests; paths tell apart those of one name."""
    tables = [read_manifest(Path(given), labelled=False).table for given in inputs]
    table = pl.concat(tables, how="diagonal_relaxed").unique(maintain_order=True)
    if len(tables) > 1:  # a file, and the folder that holds it
        same = [column for column in ("path", "start", "end") if column in table.columns]
        table = table.unique(same, keep="first", maintain_order=True)
    if table["utt"].is_duplicated().any():
        table = table.with_columns(utt="path")
    return Manifest("recordings", table)


def left_out(inputs: Sequence[str | Path], recordings: Manifest) -> list[str]:
    """A line for each folder that holds other files too; the table of a folder is complete.

    Files whose names begin with a dot are notes of a system and do not count.
    """
    taken, lines = set(recordings.table["path"]), []
    for folder in (Path(given) for given in inputs if Path(given).is_dir()):
        files = [file for file in files_below(folder.absolute()) if file.name[0] != "."]
        others = [file for file in files if str(file) not in taken]
        if others and not find_table(folder):
            kinds = sorted({file.suffix.lower() or "no suffix" for file in others})
            shown = f"{', '.join(kinds[:5])}{' …' * (len(kinds) > 5)}"
            lines.append(f"{len(others)} other files in {folder} left out ({shown})")
    return lines
