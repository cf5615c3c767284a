"""FakeAVCeleb v1.2: talking faces whose picture, sound or both are fake; we hear the sound.

AMSDF takes the first 30 % of the rows as development data and tests on all rows, so it tests on
what it chose its model by. Here `dev` is those 30 % and `eval` the others; `as-published` is all.

Two label rules: by the sound (default, AMSDF's: a fake face with its real voice is bona fide), and
by the whole clip (`…-by-clip`: only a clip with nothing fake in it is bona fide). The first puts
copies of real recordings into the bona fide class, one for every fake face laid over them.
"""

import logging
from pathlib import Path

import polars as pl

from amsdf.data.corpora.reading.protocol import WrongLayout, corpus_manifest, find_path, read_table
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest

DEV_SHARE = 0.3
_BONAFIDE_TYPES = {
    "sound": ("RealVideo-RealAudio", "FakeVideo-RealAudio"),
    "clip": ("RealVideo-RealAudio",),
}
# Rows have ten fields under nine headers: the one headed "path" is the file, then comes the folder.
_FIELDS = ["speaker", "target1", "target2", "method", "category", "type", "race", "gender"]
_FIELDS += ["file", "folder"]
_logger = logging.getLogger(__name__)


def _read(root: Path, split: str) -> Manifest:
    part, _, rule = split.partition("-by-")
    meta = find_path(root, "meta_data.csv", "FakeAVCeleb_v1.2/meta_data.csv")
    table = _label(_rows(meta), rule or "sound")
    table = _unique(_place(table, meta.parent), keep_all=part == "as-published")
    rows = {"dev": table.filter("is_dev"), "eval": table.filter(~pl.col("is_dev"))}
    return corpus_manifest("fakeavceleb", split, [rows.get(part, table).drop("is_dev")])


def _rows(meta: Path) -> pl.DataFrame:
    table = read_table(meta, has_header=False, skip_rows=1)
    if table.width != len(_FIELDS):
        raise WrongLayout(f"{meta} has {table.width} fields a row, not {len(_FIELDS)}")
    table = table.rename(dict(zip(table.columns, _FIELDS, strict=True)))
    return table.with_columns(is_dev=pl.int_range(pl.len()) < int(DEV_SHARE * len(table)))


def _label(table: pl.DataFrame, rule: str) -> pl.DataFrame:
    known = (*_BONAFIDE_TYPES["sound"], "RealVideo-FakeAudio", "FakeVideo-FakeAudio")
    strange = table.filter(~pl.col("type").is_in(known))
    if len(strange):
        raise WrongLayout(f"type {strange['type'][0]!r} is none of {', '.join(known)}")
    real = pl.col("type").is_in(_BONAFIDE_TYPES[rule])
    return table.with_columns(
        label=pl.when(real).then(pl.lit("real")).otherwise(pl.lit("fake")), attack="method"
    )


def _place(table: pl.DataFrame, home: Path) -> pl.DataFrame:
    """Ids are the paths below the corpus, whose own folder the table calls FakeAVCeleb."""
    below = pl.col("folder").str.strip_suffix("/").str.strip_prefix("FakeAVCeleb/")
    inner = home / "FakeAVCeleb"
    base = inner if inner.is_dir() else home
    return table.with_columns(utt=pl.format("{}/{}", below, "file")).with_columns(
        path=pl.format("{}/{}", pl.lit(str(base)), "utt")
    )


def _unique(table: pl.DataFrame, keep_all: bool) -> pl.DataFrame:
    """Some files are listed twice: kept as `…#2` where all rows are asked for, else dropped."""
    repeat = pl.int_range(pl.len()).over("utt") + 1
    again = table.filter(repeat > 1)
    if keep_all:
        named = pl.when(repeat > 1).then(pl.format("{}#{}", "utt", repeat)).otherwise(pl.col("utt"))
        return table.with_columns(utt=named)
    if len(again):
        _logger.warning(
            "fakeavceleb: %d rows list a file again (the first: %s); only its first row counts",
            len(again),
            again["utt"][0],
        )
    return table.unique("utt", keep="first", maintain_order=True)


CORPUS = Corpus(
    name="fakeavceleb",
    splits=("dev", "eval"),
    pooled=("as-published", "dev-by-clip", "eval-by-clip", "as-published-by-clip"),
    read=_read,
    source="FakeAVCeleb v1.2, https://github.com/DASH-Lab/FakeAVCeleb",
    licence="on request, for research",
    columns=(
        *("speaker", "attack", "method", "category", "type", "race", "gender"),
        *("target1", "target2", "file", "folder"),
    ),
    notes="Labels are by the sound; splits whose name ends in -by-clip label the whole clip.",
    layout="""
        meta_data.csv (rows of ten: source,target1,target2,method,category,type,race,gender,
        <file>,<folder>)
        {Real,Fake}Video-{Real,Fake}Audio/<race>/<gender>/<id>/<file>.mp4
    """,
)
