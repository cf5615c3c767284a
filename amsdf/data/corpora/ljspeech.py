"""LJ Speech, and every real-only corpus laid out like it (M-AILABS, many folders deep)."""

import re
from pathlib import Path

import polars as pl

from amsdf.data.corpora.reading.protocol import WrongLayout, corpus_manifest, read_lines
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest

#: Where M-AILABS names the reader of a recording.
BY_READER = re.compile(r"by_book/(?:female|male)/([^/]+)/")


def _read(root: Path, split: str) -> Manifest:
    root = root.absolute()
    top = root / "metadata.csv"
    tables = [top] if top.is_file() else sorted(root.rglob("metadata.csv"))
    if not tables:
        raise WrongLayout(f"{root} has no metadata.csv")
    return corpus_manifest("ljspeech", split, [_read_table(table, root) for table in tables])


def _read_table(table: Path, root: Path) -> pl.DataFrame:
    names = read_lines(table).str.split("|").list.first().to_frame("name")
    below = table.parent.relative_to(root).as_posix()
    prefix = "" if below == "." or below.startswith("LJSpeech") else f"{below}/"
    return names.select(
        utt=pl.lit(prefix) + pl.col("name"),
        path=pl.format("{}/{}.wav", pl.lit(str(table.parent / "wavs")), "name"),
        label=pl.lit("real"),
        speaker=pl.lit(_speaker_of(f"{below}/")),
    )


def _speaker_of(below: str) -> str:
    """M-AILABS names the reader in its folders; in folders of several readers nothing does."""
    named = BY_READER.search(below)
    return named[1] if named else "LJ" if below in ("./", "wavs/") or "LJSpeech" in below else "-"


CORPUS = Corpus(
    name="ljspeech",
    splits=("all",),
    read=_read,
    source="LJ Speech, https://keithito.com/LJ-Speech-Dataset",
    licence="public domain",
    columns=("speaker",),
    notes="Real only. M-AILABS and other corpora of this layout are read so, too.",
    layout="""
        metadata.csv (id|transcript|...), in the folder or below it
        wavs/<id>.wav beside it
    """,
    counts={"all": (13_100, 0)},
    default_split="all",
)
