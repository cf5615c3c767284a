"""The ADD challenges: 2022 (low-quality fakes and others) and 2023 (track 1.2, detection).

A split is a folder with `label.txt` and `wav/`; the lists of 2022's training data are in `label/`.
"""

from functools import partial
from pathlib import Path

import polars as pl

from amsdf.data.corpora.columns import PROTOCOLS
from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import assume_path, corpus_manifest, find_path, read_fields
from amsdf.data.manifest import Manifest


def _read(root: Path, split: str, name: str) -> Manifest:
    places = [f"{split}/label.txt", f"eval_{split}/label.txt"]
    places += [f"{home}label/{split}_label.txt" for home in ("", "ADD_train_dev/")]
    label = find_path(root, *places)
    home = label.parent if label.name == "label.txt" else label.parent.parent / split
    audio = assume_path(home, "wav", ".") if home.is_dir() else home
    table = read_fields(label, PROTOCOLS["utt-label"])
    path = pl.format("{}/{}", pl.lit(str(audio)), "utt")
    return corpus_manifest(name, split, [table.with_columns(path=path)])


_LAYOUT = """
    <split>/label.txt (file, genuine or fake)
    <split>/wav/<file>.wav
"""
ADD2022 = Corpus(
    name="add2022",
    splits=("train", "dev", "track1", "track2", "track3.2"),
    read=partial(_read, name="add2022"),
    source="ADD 2022, http://addchallenge.cn/add2022, on request, for research",
    layout=f"{_LAYOUT}or label/{{train,dev}}_label.txt with {{train,dev}}/<file>.wav",
    default_split="track1",
)
ADD2023 = Corpus(
    name="add2023",
    splits=("train", "dev", "testR1", "testR2"),
    read=partial(_read, name="add2023"),
    source="ADD 2023 track 1.2, http://addchallenge.cn/add2023, on request, for research",
    layout=_LAYOUT,
    default_split="testR2",
)
