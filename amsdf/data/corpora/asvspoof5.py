"""ASVspoof 5, track 1. Its `.tsv` protocols are separated by blanks and have no header."""

from pathlib import Path

from amsdf.data.corpora.columns import PROTOCOLS
from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import (
    assume_path,
    corpus_manifest,
    find_path,
    read_fields,
    with_paths,
)
from amsdf.data.manifest import Manifest

_FILES = {
    "train": ("ASVspoof5.train.tsv", "flac_T"),
    "dev": ("ASVspoof5.dev.track_1.tsv", "flac_D"),
    "eval": ("ASVspoof5.eval.track_1.tsv", "flac_E_eval"),
}


def _read(root: Path, split: str) -> Manifest:
    name, audio = _FILES[split]
    protocol = find_path(root, name, f"ASVspoof5_protocols/{name}", f"protocols/{name}")
    fields = read_fields(protocol, PROTOCOLS["asvspoof5"]).drop("spare")
    table = with_paths(fields, assume_path(root, audio), ".flac")
    return corpus_manifest("asvspoof5", split, [table])


CORPUS = Corpus(
    name="asvspoof5",
    splits=tuple(_FILES),
    read=_read,
    source="ASVspoof 5, https://zenodo.org/records/14498691, ODC-By",
    layout="""
        ASVspoof5.{train,dev.track_1,eval.track_1}.tsv (or in ASVspoof5_protocols/)
        {flac_T,flac_D,flac_E_eval}/<utterance>.flac
    """,
    counts={
        "train": (18_797, 163_560),
        "dev": (31_334, 109_616),
        "eval": (138_688, 542_086),
    },
)
