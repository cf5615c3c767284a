"""`KnownCorpora`: what a detector was trained and chosen on; `training_data.json`.

A figure on clips, speakers or a corpus that a detector knows is no figure on new ones. Clips are
known again by their content, whatever corpus, folder and file are called. Real recordings that
were cut or coded anew are known by their name and speaker, where the name is no mere number
(`LJ001-0001`). Of a large corpus those with the smallest hashes are kept, which meet the smallest
of any other set.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import polars as pl

from amsdf.audio.files.sources import AudioError, located
from amsdf.config import Experiment
from amsdf.contracts import BONAFIDE
from amsdf.data.corpora.finding.corpus import split_reference
from amsdf.data.manifest import Manifest
from amsdf.files import write_text
from amsdf.scoring.score_files.table import Scores

FILE = "training_data.json"
#: Hashes of one corpus that are kept at most.
MOST_HASHES = 20_000
#: Files of one size are told apart by this many bytes of their middle.
_PROBE = 4096
#: Names of speakers that say nothing outside their corpus: `a`, `12`, `p1`, `speaker_3`.
_GENERIC = re.compile(r"\w|\w\d\d?|(speaker|spk|spkr|person|user|id|s|m|f)?[\W_]*\d{1,3}")
#: What names a recording wherever it goes: two numbers or more, a word before them or not.
_RECORDING = re.compile(r"[a-z]*\d+(?:-\d+)+")
_LEAST_DIGITS = 6
_NOBODY = frozenset(("", "-", "unknown", "none", "null", "nan", "n/a", "na"))


@dataclass(frozen=True)
class KnownCorpus:
    """What is kept of one corpus: enough to know it, its speakers and its clips again."""

    name: str
    #: `Manifest.digest`; empty where only the name is known.
    digest: str = ""
    clips: int = 0
    speakers: tuple[str, ...] = ()
    #: The smallest hashes of the clips' contents, in order.
    contents: tuple[str, ...] = ()
    #: Those of real recordings' names and speakers.
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, manifest: Manifest, most: int | None = MOST_HASHES) -> Self:
        """Opens every file for a few bytes; `most` hashes are kept, or all."""
        return cls(
            name=manifest.name,
            digest=manifest.digest,
            clips=len(manifest),
            speakers=tuple(sorted(hashed_speakers(manifest))),
            contents=tuple(sorted(set(hashed_contents(manifest)))[:most]),
            names=tuple(sorted(hashed_names(manifest))[:most]),
        )

    @property
    def corpora(self) -> set[str]:
        """The corpora that it is of, without their splits."""
        return {split_reference(name)[0] for name in self.name.split("+")}


@dataclass(frozen=True)
class KnownCorpora:
    """The corpora that a detector was trained on, and those that chose its epoch."""

    train: tuple[KnownCorpus, ...] = ()
    dev: tuple[KnownCorpus, ...] = ()

    @classmethod
    def of(cls, train: Sequence[Manifest], dev: Sequence[Manifest]) -> Self:
        """That of a run."""
        return cls(tuple(map(KnownCorpus.of, train)), tuple(map(KnownCorpus.of, dev)))

    @classmethod
    def named_by(cls, experiment: Experiment) -> Self:
        """The names alone, which an experiment says: for detectors that come without the file."""
        train, dev = (
            tuple(KnownCorpus(name) for name in names or ())
            for names in (experiment.train.corpora, experiment.dev)
        )
        return cls(train, dev)

    @classmethod
    def read(cls, place: Path, experiment: Experiment) -> Self:
        """That of a detector folder or file; where it has none, as `named_by`."""
        path = place / FILE
        if not path.is_file():
            return cls.named_by(experiment)
        try:
            data = json.loads(path.read_text("utf-8"))
            parts = ([_known(corpus) for corpus in data[part]] for part in ("train", "dev"))
            return cls(*map(tuple, parts))
        except (ValueError, TypeError, KeyError):
            raise ValueError(
                f"{path}: does not say what a detector was trained on; delete it, or train again"
            ) from None

    def save(self, folder: Path) -> None:
        """Write it beside the weights that it belongs to, a corpus a line."""
        parts = {"train": self.train, "dev": self.dev}
        lines = [
            f'"{part}": [\n'
            + ",\n".join(json.dumps(asdict(c), separators=(",", ":")) for c in known)
            + "\n]"
            for part, known in parts.items()
        ]
        write_text(folder / FILE, "{\n" + ",\n".join(lines) + "\n}\n")

    def header(self) -> dict[str, str]:
        """What score files say of it: names and digests, joined by commas."""
        return {
            "train_corpora": ",".join(corpus.name for corpus in self.train),
            "train_hashes": ",".join(corpus.digest for corpus in self.train),
            "dev_corpora": ",".join(corpus.name for corpus in self.dev),
            "dev_hashes": ",".join(corpus.digest for corpus in self.dev),
        }


def _known(data: dict[str, Any]) -> KnownCorpus:
    return KnownCorpus(
        name=str(data["name"]),
        digest=str(data["digest"]),
        clips=int(data["clips"]),
        speakers=tuple(map(str, data["speakers"])),
        contents=tuple(map(str, data["contents"])),
        names=tuple(map(str, data["names"])),
    )


def hashed_speakers(manifest: Manifest) -> set[str]:
    """Its speakers, hashed, their case ignored; a name as `12` counts within its corpus alone."""
    if "speaker" not in manifest.table.columns:
        return set()
    rows = manifest.table.select("corpus", "speaker").drop_nulls().unique()
    found = set()
    for corpus, speaker in rows.iter_rows():
        name = str(speaker).strip().casefold()
        where = split_reference(str(corpus))[0] if _GENERIC.fullmatch(name) else ""
        if name not in _NOBODY:
            found.add(_hash(f"{where}\n{name}".encode()))
    return found


def hashed_names(manifest: Manifest) -> set[str]:
    """Its real recordings, hashed with their speakers, as far as their names tell them apart.

    A fake is often called like the recording that it was made from.
    """
    if "speaker" not in manifest.table.columns:
        return set()
    real = manifest.table.filter(pl.col("label") == BONAFIDE)
    columns = [column for column in ("utt", "path", "file") if column in real.columns]
    found = set()
    for speaker, *places in real.select("speaker", *columns).iter_rows():
        who = str(speaker).strip().casefold()
        for place in places:
            if who not in _NOBODY and (name := _recording_name(str(place))):
                found.add(_hash(f"{who}\n{name}".encode()))
    return found


def _recording_name(place: str) -> str:
    """`audio/lj_LJ001-0001.flac` -> `lj001-0001`; empty where nothing tells."""
    stem = Path(place).stem.casefold().replace("_", "-")
    names = [name for name in _RECORDING.findall(stem) if _digits(name) >= _LEAST_DIGITS]
    return max(names, key=len, default="")


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def hashed_contents(manifest: Manifest) -> list[str]:
    """A hash of each clip: of its file's size and a piece of it, and of the clip's place in it.

    Clips whose file cannot be opened have none.
    """
    pieces = {path: _piece_of(path) for path in manifest.table["path"].unique()}
    clips = zip(
        manifest.table["path"], manifest.seconds("start"), manifest.seconds("end"), strict=True
    )
    return [
        _hash(piece + f"{start} {end}".encode())
        for path, start, end in clips
        if (piece := pieces[path])
    ]


def _piece_of(path: str) -> bytes:
    """Size and middle of a file, or all of one whose middle is silence; empty if there is none.

    A recording in a shard has that of a file of the same bytes.
    """
    try:
        place = located(path)[1]
        with place if isinstance(place, BytesIO) else place.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size // 2 - _PROBE // 2))
            piece = file.read(_PROBE)
            if piece.count(piece[:1]) == len(piece):
                file.seek(0)
                piece = hashlib.file_digest(file, "blake2b").digest()
    except (AudioError, OSError):
        return b""
    return f"{size} ".encode() + piece


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


SEEN, SAME_SPEAKERS, SAME_CORPUS = "seen", "same speakers", "same corpus"


@dataclass(frozen=True)
class Overlap:
    """What a detector knows of a set: `SEEN`, `SAME_SPEAKERS`, `SAME_CORPUS`, or nothing ("")."""

    mark: str = ""
    #: In words: how much of it, and from where.
    detail: str = ""


def find_overlap(training: KnownCorpora, manifest: Manifest) -> Overlap:
    """What the detector knows of a set; the strongest mark that fits."""
    known = [("train", corpus) for corpus in training.train]
    known += [("dev", corpus) for corpus in training.dev]
    for part, corpus in known:
        if corpus.digest == manifest.digest:
            return Overlap(SEEN, f"{corpus.name} ({part})")
        if not corpus.digest and split_reference(corpus.name) == split_reference(manifest.name):
            return Overlap(SEEN, f"{corpus.name} ({part}), by its name")
    if not known:
        return Overlap()

    own = KnownCorpus.of(manifest, most=None)
    for mark, unit, attribute in (
        (SEEN, "clips", "contents"),
        (SEEN, "real recordings by name and speaker", "names"),
        (SAME_SPEAKERS, "speakers", "speakers"),
    ):
        mine = set(getattr(own, attribute))
        if detail := _shared(mine, unit, [(p, c.name, getattr(c, attribute)) for p, c in known]):
            return Overlap(mark, detail)
    same = [f"{corpus.name} ({part})" for part, corpus in known if corpus.corpora & own.corpora]
    return Overlap(SAME_CORPUS, ", ".join(same)) if same else Overlap()


def _shared(mine: set[str], unit: str, known: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    """How many of mine each known corpus holds, in words; empty if none does."""
    found = []
    for part, name, hashes in known:
        if count := len(mine.intersection(hashes)):
            least = "at least " if len(hashes) >= MOST_HASHES else ""
            found.append(f"{least}{count} in {name} ({part})")
    return f"of {len(mine)} {unit}, {', '.join(found)}" if found else ""


def overlap_of(scores: Scores) -> str:
    """What the detector knew of the trials when it scored them: a mark of `Overlap`, or ""."""
    return scores.header.get("overlap", "")
