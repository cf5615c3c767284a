"""PartialSpoof: the speech of ASVspoof 2019 LA with fake segments put in, and where they are.

The segment labels are pickled arrays. They are read without running anything that a pickle may ask
for: only arrays, dictionaries and texts are built.
"""

import itertools
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

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

#: Seconds of a frame, the finest first.
_FRAMES = ("0.01", "0.02", "0.04", "0.08", "0.16", "0.32", "0.64")
_COLUMNS = ("speaker", "utt", "_", "mixture", "label")
_HARMLESS = {
    ("collections", "defaultdict"),
    ("builtins", "list"),
    ("builtins", "str"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


def _read(root: Path, split: str) -> Manifest:
    protocols = "PartialSpoof_LA_cm_protocols"
    name = f"PartialSpoof.LA.cm.{split}.trl.txt"
    homes = ("", "database/")
    protocol = find_path(root, *(f"{home}protocols/{protocols}/{name}" for home in homes))
    home = protocol.parent.parent.parent
    audio = assume_path(home, f"{split}/con_wav", f"{split}/database/{split}/con_wav")
    table = with_paths(read_fields(protocol, _COLUMNS), audio, ".wav").drop("mixture")
    labels = [home / "segment_labels" / f"{split}_seglab_{frame}.npy" for frame in _FRAMES]
    found = next((path for path in labels if path.is_file()), None)
    if found:
        table = table.join(_segments(found), on="utt", how="left", maintain_order="left")
    return corpus_manifest("partialspoof", split, [table])


def _segments(path: Path) -> pl.DataFrame:
    """Utterance -> `<from>-<to>-bonafide <from>-<to>-spoof …` in seconds."""
    frame = float(path.stem.rpartition("_")[2])
    labels = read_frames(path)
    texts = [spans(np.asarray(frames).astype(str) == "1", frame) for frames in labels.values()]
    return pl.DataFrame({"utt": list(labels), "segments": texts})


def spans(bonafide: np.ndarray, frame: float) -> str:
    """(N,) frames, true where bona fide -> `0.00-1.20-bonafide 1.20-1.50-spoof`."""
    edges = [0, *(np.flatnonzero(np.diff(bonafide)) + 1), len(bonafide)]
    words = ("spoof", "bonafide")
    return " ".join(
        f"{first * frame:.2f}-{last * frame:.2f}-{words[int(bonafide[first])]}"
        for first, last in itertools.pairwise(edges)
        if last > first
    )


def read_frames(path: Path) -> dict[str, Any]:
    """Utterance -> its frames, `1` where bona fide, out of a pickled array."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            reader = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            reader(file)
            content = _Harmless(file).load()
    except (ValueError, OSError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise WrongLayout(f"{path} is not an array of segment labels ({error})") from None
    held = content.item() if isinstance(content, np.ndarray) and content.shape == () else content
    if not isinstance(held, dict):
        raise WrongLayout(f"{path} holds {type(held).__name__}, not labels by utterance")
    return dict(held)


class _Harmless(pickle.Unpickler):
    """Builds arrays, dictionaries and texts, and nothing else."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


CORPUS = Corpus(
    name="partialspoof",
    splits=("train", "dev", "eval"),
    read=_read,
    source="PartialSpoof v1.2, https://zenodo.org/records/5766198",
    licence="see its page",
    columns=("speaker", "segments"),
    notes=(
        "Fake segments within real speech of ASVspoof 2019 LA. `segments` says from when to when "
        "what is spoken; it is there where segment_labels/ is."
    ),
    layout="""
        protocols/PartialSpoof_LA_cm_protocols/PartialSpoof.LA.cm.{train,dev,eval}.trl.txt
        {train,dev,eval}/con_wav/<utterance>.wav
        segment_labels/{train,dev,eval}_seglab_{0.01,...,0.64}.npy
        all of it in database/, as the archives unpack
    """,
    counts={"train": (2_580, 22_800), "dev": (2_548, 22_296), "eval": (7_355, 63_882)},
    default_split="eval",
)
