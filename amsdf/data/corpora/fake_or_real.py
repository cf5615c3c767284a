"""Fake-or-Real in its four variants. There is no protocol: folders say split and class.

Base names repeat across folders, so the path below the variant is the id; what is no sound file is
passed over, and the order is that of the names, not of the file system.
"""

from functools import partial
from pathlib import Path

from amsdf.data.corpora.reading.protocol import corpus_manifest, find_path, list_recordings
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest


def _read(root: Path, split: str, name: str, folders: tuple[str, ...]) -> Manifest:
    places = ["", *(f"{folder}/" for folder in folders)]
    places += [f"{archive}/{folder}/" for archive in folders for folder in folders]
    real = find_path(root, *(f"{place}{split}/real" for place in places))
    variant = real.parent.parent
    fake = find_path(variant, f"{split}/fake")
    tables = [list_recordings(real, variant, "real"), list_recordings(fake, variant, "fake")]
    return corpus_manifest(name, split, tables)


def _corpus(name: str, what: str, *folders: str) -> Corpus:
    return Corpus(
        name=name,
        splits=("training", "validation", "testing"),
        read=partial(_read, name=name, folders=folders),
        source=f"Fake-or-Real, {what}, https://bil.eecs.yorku.ca/datasets",
        licence="for research",
        layout=f"""
            {folders[0]}/{{training,validation,testing}}/real/**.wav
            {folders[0]}/{{training,validation,testing}}/fake/**.wav
        """,
        default_split="testing",
    )


ORIGINAL = _corpus("fake-or-real", "as collected", "for-original")
NORM = _corpus("fake-or-real-norm", "balanced and normalised", "for-norm")
TWO_SECONDS = _corpus("fake-or-real-2sec", "cut to two seconds", "for-2seconds", "for-2sec")
RERECORDED = _corpus("fake-or-real-rerec", "re-recorded", "for-rerecorded", "for-rerec")
