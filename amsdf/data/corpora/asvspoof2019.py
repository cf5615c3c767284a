"""ASVspoof 2019, logical access (speech synthesis and conversion) and physical access (replay)."""

from functools import partial
from pathlib import Path

from amsdf.data.corpora.reading.columns import PROTOCOLS
from amsdf.data.corpora.reading.protocol import (
    assume_path,
    corpus_manifest,
    find_path,
    read_fields,
    with_paths,
)
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest

_ENDINGS = {
    "train": ("train.trn", "train.trl"),  # AMSDF renames the first to the second
    "dev": ("dev.trl",),
    "eval": ("eval.trl",),
}


def _read(root: Path, split: str, access: str) -> Manifest:
    names = [
        f"{folder}ASVspoof2019_{access}_cm_protocols/ASVspoof2019.{access}.cm.{ending}.txt"
        for folder in ("", f"{access}/")
        for ending in _ENDINGS[split]
    ]
    protocol = find_path(root, *names)
    # The audio folders hold enrolment speech too: the protocol is what counts.
    folder = f"ASVspoof2019_{access}_{split}/flac"
    audio = assume_path(protocol.parent.parent, folder, f"{access}/{folder}")
    table = with_paths(read_fields(protocol, PROTOCOLS["asvspoof2019"]), audio, ".flac")
    if access == "LA":  # nothing is replayed
        table = table.drop("environment")
    return corpus_manifest(f"asvspoof2019-{access.lower()}", split, [table])


def _corpus(access: str, counts: dict[str, tuple[int, int]]) -> Corpus:
    return Corpus(
        name=f"asvspoof2019-{access.lower()}",
        splits=tuple(_ENDINGS),
        read=partial(_read, access=access),
        source=f"ASVspoof 2019 {access}, https://doi.org/10.7488/ds/2555",
        licence="ODC-By",
        columns=("speaker", "environment", "attack") if access == "PA" else ("speaker", "attack"),
        layout=f"""
            ASVspoof2019_{access}_cm_protocols/ASVspoof2019.{access}.cm.{{train.trn,dev.trl,eval.trl}}.txt
            ASVspoof2019_{access}_{{train,dev,eval}}/flac/<utterance>.flac (or below {access}/)
        """,
        counts=counts,
    )


LA = _corpus("LA", {"train": (2_580, 22_800), "dev": (2_548, 22_296), "eval": (7_355, 63_882)})
PA = _corpus("PA", {"train": (5_400, 48_600), "dev": (5_400, 24_300), "eval": (18_090, 116_640)})
