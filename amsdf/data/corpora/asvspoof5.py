"""ASVspoof 5. Its `.tsv` protocols are separated by blanks and have no header.

Track 1 lists utterances. Track 2 lists trials of a claimed speaker, in which an utterance occurs
again and again; here each counts once, for a countermeasure looks at the utterance alone. Trials of
targets and of nontargets are bona fide.
"""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.reading.columns import PROTOCOLS
from amsdf.data.corpora.reading.protocol import (
    WrongLayout,
    assume_path,
    corpus_manifest,
    find_path,
    read_fields,
    with_paths,
)
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest

_FILES = {
    "train": ("train", "flac_T", "ASVspoof5_train"),
    "dev": ("dev", "flac_D", "ASVspoof5_dev"),
    "eval": ("eval", "flac_E_eval", "ASVspoof5_eval"),
}
_PLACES = ("", "ASVspoof5_protocols/", "protocols/")
_TRIAL = ("_", "utt", "gender", "attack", "label")
_MEANING = {"target": "bonafide", "nontarget": "bonafide", "spoof": "spoof"}


def _read(root: Path, split: str) -> Manifest:
    part, _, track = split.partition("-")
    stem, audio, folder = _FILES[part]
    read = _read_trials if track else _read_utterances
    places = (audio, f"{folder}/{audio}", *(f"{home}flac_E" for home in ("", f"{folder}/")))
    home = assume_path(root, *(places if part == "eval" else places[:2]))
    return corpus_manifest("asvspoof5", split, [with_paths(read(root, stem), home, ".flac")])


def _read_utterances(root: Path, stem: str) -> pl.DataFrame:
    name = f"ASVspoof5.{stem}.tsv" if stem == "train" else f"ASVspoof5.{stem}.track_1.tsv"
    protocol = find_path(root, *(f"{place}{name}" for place in _PLACES))
    return read_fields(protocol, PROTOCOLS["asvspoof5"]).drop("spare")


def _read_trials(root: Path, stem: str) -> pl.DataFrame:
    names = (f"ASVspoof5.{stem}.track_2.trial.tsv", f"ASVspoof5.{stem}.trial.txt")
    protocol = find_path(root, *(f"{place}{name}" for name in names for place in _PLACES))
    table = read_fields(protocol, _TRIAL)
    strange = table.filter(~pl.col("label").is_in(list(_MEANING)))["label"]
    if len(strange):
        raise WrongLayout(f"{protocol}: {strange[0]!r} is none of {', '.join(_MEANING)}")
    table = table.with_columns(pl.col("label").replace_strict(_MEANING))
    return table.unique(maintain_order=True)


CORPUS = Corpus(
    name="asvspoof5",
    splits=tuple(_FILES),
    read=_read,
    source="ASVspoof 5, https://zenodo.org/records/14498691",
    licence="ODC-By",
    columns=(
        *("speaker", "gender", "codec", "codec_quality", "codec_seed", "attack_tag", "attack"),
    ),
    notes="The splits dev-track2 and eval-track2 are the utterances of track 2, each once.",
    layout="""
        ASVspoof5.{train,dev.track_1,eval.track_1}.tsv (or in ASVspoof5_protocols/)
        ASVspoof5.{dev,eval}.track_2.trial.tsv for track 2
        {flac_T,flac_D,flac_E_eval}/<utterance>.flac (or in ASVspoof5_{train,dev,eval}/)
    """,
    counts={
        "train": (18_797, 163_560),
        "dev": (31_334, 109_616),
        "eval": (138_688, 542_086),
    },
    default_split="eval",
    pooled=("dev-track2", "eval-track2"),
)
