"""`Corpus`: one published corpus, how its folder looks, and its reader."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from amsdf import registry
from amsdf.audio.files.sources import is_there
from amsdf.data.corpora.reading.protocol import WrongLayout
from amsdf.data.manifest import Manifest


@dataclass(frozen=True)
class Corpus:
    """A published corpus: where it comes from, how its folder looks, and its reader."""

    name: str
    #: Disjoint parts of the corpus.
    splits: tuple[str, ...]
    #: (root folder, split) -> manifest; opens no audio.
    read: Callable[[Path, str], Manifest]
    #: What it is called, and where it comes from.
    source: str
    #: How the folder looks, a few lines.
    layout: str
    #: What its owners allow.
    licence: str = ""
    #: What a manifest may say of an utterance beside its id, path and label.
    columns: tuple[str, ...] = ()
    #: What a user should know of it, a sentence or a few.
    notes: str = ""
    #: Split -> bona fide and spoof utterances as published, where documented.
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    default_split: str = "eval"
    #: Further splits, made of rows of the others.
    pooled: tuple[str, ...] = ()
    #: Where it is, if its own description says so.
    root: Path | None = None

    def __post_init__(self) -> None:
        summary = f"{self.source}, {self.licence}" if self.licence else self.source
        object.__setattr__(self, "__doc__", summary)  # the summary that `plugins` prints

    def open(self, root: Path, split: str | None = None) -> Manifest:
        """The manifest of a split; a wrong folder is answered with the right layout."""
        split = split or self.default_split
        known = (*self.splits, *self.pooled)
        if split not in known:
            raise ValueError(
                f"corpus {self.name!r} has no split {split!r}.{registry.nearest(split, known)} "
                f"It has: {', '.join(known)}"
            )
        if not root.is_dir():
            raise ValueError(f"root of corpus {self.name!r}: {root}: no such folder")
        problem = ""
        for place in chain([root], _folders(root)):  # people name the folder above, too
            try:
                manifest = self.read(place, split)
                if any_recording(manifest):
                    return manifest
                missing = manifest.table["path"][0]
                problem = problem or f"{place} has none of the recordings listed, such as {missing}"
            except WrongLayout as error:
                problem = problem or str(error)
        lines = "; ".join(" ".join(line.split()) for line in self.layout.strip().splitlines())
        raise ValueError(f"corpus {self.name!r}: {problem}. Expected layout: {lines}")

    def expected(self) -> dict[str, tuple[int, int]]:
        """Published counts under the names of the manifests."""
        return {f"{self.name}/{split}": counts for split, counts in self.counts.items()}


def _folders(root: Path) -> Iterator[Path]:
    """The folders in a folder, sorted; those that begin with a dot are a system's."""
    yield from sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def any_recording(manifest: Manifest) -> bool:
    """Whether some recording of a manifest is there; it looks here and there before everywhere."""
    paths = manifest.table["path"]
    spread = paths.gather_every(max(1, len(paths) // 100))
    return any(is_there(path) for path in chain(spread, paths))
