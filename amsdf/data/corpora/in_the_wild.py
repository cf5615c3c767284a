"""In-the-Wild: public figures and fakes of them, collected from the web (Müller et al., 2022)."""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import WrongLayout, corpus_manifest, find_path, read_table
from amsdf.data.manifest import Manifest


def _read(root: Path, split: str) -> Manifest:
    meta = find_path(root, "meta.csv", "release_in_the_wild/meta.csv")
    table = read_table(meta)
    if table.columns != ["file", "speaker", "label"]:
        raise WrongLayout(f"{meta} has columns {', '.join(table.columns)}")
    paths = pl.format("{}/{}", pl.lit(str(meta.parent)), "file")
    return corpus_manifest(
        "in-the-wild", split, [table.with_columns(path=paths).rename({"file": "utt"})]
    )


CORPUS = Corpus(
    name="in-the-wild",
    splits=("eval",),
    read=_read,
    source="In-the-Wild, https://deepfake-total.com/in_the_wild, Apache 2.0",
    layout="""
        meta.csv (file,speaker,label)
        <number>.wav
    """,
    counts={"eval": (19_963, 11_816)},
)
