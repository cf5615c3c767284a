"""Codecfake (Xie et al., 2024): speech out of neural codecs and of audio language models.

`C1` to `C7` are the test sets of the codecs, `A1` to `A3` those of the language models.
"""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.columns import PROTOCOLS
from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import corpus_manifest, find_path, read_fields
from amsdf.data.manifest import Manifest


def _read(root: Path, split: str) -> Manifest:
    label = find_path(root, f"label/{split}.txt", f"Codecfake/label/{split}.txt")
    audio = pl.lit(str(label.parent.parent / split))
    table = read_fields(label, PROTOCOLS["codecfake"])
    return corpus_manifest(
        "codecfake", split, [table.with_columns(path=pl.format("{}/{}", audio, "utt"))]
    )


CORPUS = Corpus(
    name="codecfake",
    splits=("train", "dev", *(f"C{i}" for i in range(1, 8)), "A1", "A2", "A3"),
    read=_read,
    source="Codecfake, https://github.com/xieyuankun/Codecfake, CC BY-NC-ND 4.0",
    layout="""
        label/{train,dev,C1,...,C7,A1,A2,A3}.txt (file, real or fake, codec)
        {train,dev,C1,...,C7,A1,A2,A3}/<file>.wav
    """,
    default_split="C1",
)
