"""ASVspoof 2015: S1 to S5 known, S6 to S10 only in eval."""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.columns import PROTOCOLS
from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import corpus_manifest, find_path, read_fields
from amsdf.data.manifest import Manifest

_FILES = {"train": "cm_train.trn", "dev": "cm_develop.ndx", "eval": "cm_evaluation.ndx"}


def _read(root: Path, split: str) -> Manifest:
    name = f"CM_protocol/{_FILES[split]}"
    protocol = find_path(root, name, f"{name}.txt")
    table = read_fields(protocol, PROTOCOLS["asvspoof2015"])
    wavs = pl.lit(str(protocol.parent.parent / "wav"))
    path = pl.format("{}/{}/{}.wav", wavs, "speaker", "utt")
    return corpus_manifest("asvspoof2015", split, [table.with_columns(path=path)])


CORPUS = Corpus(
    name="asvspoof2015",
    splits=tuple(_FILES),
    read=_read,
    source="ASVspoof 2015, https://doi.org/10.7488/ds/298, CC BY 4.0",
    layout="""
        CM_protocol/{cm_train.trn,cm_develop.ndx,cm_evaluation.ndx} (or .txt behind it)
        wav/<speaker>/<utterance>.wav
    """,
    counts={"train": (3_750, 12_625), "dev": (3_497, 49_875), "eval": (9_404, 184_000)},
)
