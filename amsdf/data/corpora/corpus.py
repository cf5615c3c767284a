"""`Corpus`: one published corpus; and `open_corpus`: from what a person writes to a manifest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from amsdf import registry
from amsdf.audio.sources import SUFFIXES
from amsdf.data.corpora.protocol import WrongLayout
from amsdf.data.manifest import MANIFEST_SUFFIXES, Manifest, join_manifests, read_manifest

#: The short names that AMSDF and its relatives use, and `corpus/split` that they mean.
ALIASES = {
    "asvs2019la": "asvspoof2019-la/eval",
    "asvs2021la": "asvspoof2021-la/eval",
    "asvs2021df": "asvspoof2021-df/eval",
    "asvs2015d": "asvspoof2015/dev",
    "asvs2015e": "asvspoof2015/eval",
    "for": "fake-or-real/testing",
    "fac": "fakeavceleb/eval",
    "itw": "in-the-wild/eval",
}


@dataclass(frozen=True)
class Corpus:
    """A published corpus: where it comes from, how its folder looks, and its reader."""

    name: str
    #: Disjoint parts of the corpus.
    splits: tuple[str, ...]
    #: (root folder, split) -> manifest; opens no audio.
    read: Callable[[Path, str], Manifest]
    #: Where it comes from, and its licence.
    source: str
    #: How the folder looks, a few lines.
    layout: str
    #: Split -> bona fide and spoof utterances as published, where documented.
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    default_split: str = "eval"
    #: Further splits, made of rows of the others.
    pooled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.source)  # the summary that `plugins` prints

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
        try:
            return self.read(root, split)
        except WrongLayout as error:
            lines = "; ".join(" ".join(line.split()) for line in self.layout.strip().splitlines())
            raise ValueError(f"corpus {self.name!r}: {error}. Expected layout: {lines}") from None

    def expected(self) -> dict[str, tuple[int, int]]:
        """Published counts under the names of the manifests."""
        return {f"{self.name}/{split}": counts for split, counts in self.counts.items()}


def open_corpus(reference: str, roots: Mapping[str, Path]) -> Manifest:
    """A manifest from a reference, as in an experiment or after `--on`.

    Args:
        reference: `name[/split]` of a registered corpus, an alias, a name of `roots`, a path of a
            manifest or folder with or without `/split`; or several of them joined by `+`.
        roots: Where corpora are, by name (`find_roots`).
    """
    if "+" in reference and not Path(reference).exists():
        parts = [open_corpus(part.strip(), roots) for part in reference.split("+")]
        return join_manifests(parts, reference)
    name, split = split_reference(reference)
    if name in registry.names("corpora"):
        corpus: Corpus = registry.load("corpora", name)
        return corpus.open(_root_of(name, roots), split)
    if name in roots:
        return _read_path(roots[name], split, name)
    path, split = _locate(reference, roots)
    return _read_path(path, split, _name_of(path))


def open_splits(reference: str, roots: Mapping[str, Path]) -> list[Manifest]:
    """As `open_corpus`, but a registered corpus without a split gives each of its disjoint ones."""
    if reference in registry.names("corpora"):
        splits = registry.load("corpora", reference).splits
        return [open_corpus(f"{reference}/{split}", roots) for split in splits]
    return [open_corpus(reference, roots)]


def split_reference(reference: str) -> tuple[str, str | None]:
    """`name[/split]` -> (name, split), the alias replaced by what it means."""
    name, _, split = reference.strip().partition("/")
    name, _, default = ALIASES.get(name, name).partition("/")
    return name, split or default or None


def _root_of(name: str, roots: Mapping[str, Path]) -> Path:
    for key, root in roots.items():
        if split_reference(key)[0] == name:
            return root
    raise ValueError(f"corpus {name!r} has no root here: {_remedy(name)}")


def _remedy(name: str) -> str:
    return f"give --data {name}=FOLDER, put it below $AMSDF_DATA or into data.yaml"


def _locate(reference: str, roots: Mapping[str, Path]) -> tuple[Path, str | None]:
    """A path, and the split that may follow it."""
    path = Path(reference).expanduser()
    if path.exists():
        return path.absolute(), None
    if path.parent.exists() and "/" in reference:
        return path.parent.absolute(), path.name
    raise ValueError(_unknown(reference, reference.partition("/")[0], roots))


def _name_of(path: Path) -> str:
    return path.parent.name if path.stem == "manifest" else path.stem


def _read_path(path: Path, split: str | None, name: str) -> Manifest:
    """The manifest at `path`; its split is a folder below or a value of its column `split`."""
    if split and (path / split).exists():
        return read_manifest(path / split, f"{name}/{split}")
    if split and Path(split).suffix.lower() in (*MANIFEST_SUFFIXES, *SUFFIXES):
        raise ValueError(f"{path / split}: no such file")
    manifest = read_manifest(path, name)
    return manifest.select(split) if split else manifest


def _unknown(reference: str, name: str, roots: Mapping[str, Path]) -> str:
    known = [*registry.names("corpora"), *ALIASES, *roots]
    if Path(reference).is_absolute() or name in (".", "..", "~"):
        return f"corpus {reference!r}: no such file or folder"
    return (
        f"no corpus named {name!r}, nor a file or folder.{registry.nearest(name, known)} "
        f"For your own recordings {_remedy(name)}"
    )
