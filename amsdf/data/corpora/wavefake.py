"""WaveFake: vocoded LJSpeech and JSUT; fake only, the real speech is that of those corpora.

The real speech may have been laid beside the fakes, so folders are taken by their names.
"""

from pathlib import Path

import polars as pl

from amsdf.data.corpora.corpus import Corpus
from amsdf.data.corpora.protocol import WrongLayout, assume_path, corpus_manifest, list_recordings
from amsdf.data.manifest import Manifest

_SOURCES = ("ljspeech_", "jsut_", "common_voices_")


def _read(root: Path, split: str) -> Manifest:
    base = assume_path(root, "generated_audio", ".")
    folders = sorted(folder for folder in base.iterdir() if folder.name.startswith(_SOURCES))
    tables = [
        list_recordings(folder, base, "fake").with_columns(attack=pl.lit(folder.name))
        for folder in folders
    ]
    if not any(len(table) for table in tables):
        raise WrongLayout(f"{base} has no folder of vocoded speech such as ljspeech_melgan")
    return corpus_manifest("wavefake", split, tables)


CORPUS = Corpus(
    name="wavefake",
    splits=("all",),
    read=_read,
    source="WaveFake, https://zenodo.org/records/5642694, CC BY-SA 4.0; fake only",
    layout="generated_audio/{ljspeech,jsut,common_voices}_<vocoder>/**.wav",
    default_split="all",
)
