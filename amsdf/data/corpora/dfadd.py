"""DFADD: diffusion and flow-matching speech against VCTK. No protocol: folders say all."""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import WrongLayout, corpus_manifest, list_recordings
from amsdf.data.manifest import Manifest

_PREFIX, _REAL = "DATASET_", "DATASET_VCTK_BONAFIDE"


def _read(root: Path, split: str) -> Manifest:
    base = root.absolute()
    folders = sorted(folder for folder in base.glob(f"{_PREFIX}*") if (folder / split).is_dir())
    if base / _REAL not in folders:
        raise WrongLayout(f"{root} has no {_REAL}/{split}")
    return corpus_manifest("dfadd", split, [_recordings(folder, base, split) for folder in folders])


def _recordings(folder: Path, base: Path, split: str) -> pl.DataFrame:
    real = folder.name == _REAL
    attack = "-" if real else folder.name.removeprefix(_PREFIX)
    table = list_recordings(folder / split, base, "real" if real else "fake")
    return table.with_columns(attack=pl.lit(attack))


CORPUS = Corpus(
    name="dfadd",
    splits=("train", "valid", "test"),
    read=_read,
    source="DFADD, https://github.com/isjwdu/DFADD, for research",
    layout="""
        DATASET_VCTK_BONAFIDE/{train,valid,test}/**.wav
        DATASET_{GradTTS,NaturalSpeech2,StyleTTS2,MatchaTTS,PflowTTS}/{train,valid,test}/**.wav
    """,
    default_split="test",
)
