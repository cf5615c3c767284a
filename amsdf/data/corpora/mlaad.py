"""MLAAD: fakes in dozens of languages by dozens of systems; fake only, versions grow.

Its tables are separated by `|` and not quoted, though transcripts contain quotation marks: a
reader that honours quoting loses rows. The real counterpart is M-AILABS, read by `ljspeech`.
"""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.ljspeech import BY_READER
from amsdf.data.corpora.reading.protocol import (
    WrongLayout,
    assume_path,
    corpus_manifest,
    read_lines,
    read_table,
)
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest

_KEPT = ("original_file", "language", "model_name", "architecture", "training_data")


def _read(root: Path, split: str) -> Manifest:
    base = assume_path(root, "fake", ".")
    tables = [_read_system(meta, base) for meta in sorted(base.glob("*/*/meta.csv"))]
    if not tables:
        raise WrongLayout(f"{base} has no <language>/<system>/meta.csv")
    return corpus_manifest("mlaad", split, tables)


def _read_system(meta: Path, base: Path) -> pl.DataFrame:
    table = _rows(meta)
    if "path" not in table.columns:
        raise WrongLayout(f"{meta} has columns {', '.join(table.columns)}")
    folder = meta.parent
    name = pl.col("path").str.split("/").list.last()
    return table.select(
        [column for column in _KEPT if column in table.columns],
        utt=pl.format("{}/{}", pl.lit(folder.relative_to(base).as_posix()), name),
        path=pl.format("{}/{}", pl.lit(str(folder)), name),
        label=pl.lit("fake"),
        attack=pl.lit(folder.name),
        speaker=_speakers(table),
    )


def _speakers(table: pl.DataFrame) -> pl.Expr:
    """The reader of the original, whom M-AILABS names in its folders; `-` where it does not."""
    if "original_file" not in table.columns:
        return pl.lit("-")
    return pl.col("original_file").str.extract(BY_READER.pattern).fill_null("-")


def _rows(meta: Path) -> pl.DataFrame:
    lines = read_lines(meta)
    if "|" not in lines[0]:
        return read_table(meta)
    fields = lines[1:].str.split("|")
    return pl.DataFrame(
        {name: fields.list.get(i, null_on_oob=True) for i, name in enumerate(lines[0].split("|"))}
    )


CORPUS = Corpus(
    name="mlaad",
    splits=("all",),
    read=_read,
    source="MLAAD, https://deepfake-total.com/mlaad",
    licence="CC BY-NC 4.0",
    columns=(
        *("attack", "speaker", "language", "model_name", "architecture", "training_data"),
        "original_file",
    ),
    notes="Fake only; versions grow, so name yours. `speaker` reads the original in M-AILABS.",
    layout="""
        fake/<language>/<system>/meta.csv (path|original_file|language|...)
        fake/<language>/<system>/<file>.wav
    """,
    default_split="all",
)
