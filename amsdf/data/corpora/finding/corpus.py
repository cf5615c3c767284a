"""`open_corpus`: from what a person writes to a manifest."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from amsdf import registry
from amsdf.audio.files.sources import SUFFIXES
from amsdf.data.corpora.described import described_by
from amsdf.data.corpora.reading.reader import Corpus
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
#: Files that describe a corpus of the user's own.
DESCRIPTIONS = (".yaml", ".yml")
_logger = logging.getLogger(__name__)


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
    """As `open_corpus`, but a corpus without a split gives each of its disjoint ones that is there.

    What is not there of a corpus is said in the log; a corpus with no split at all is refused.
    """
    corpus = known_corpus(reference, roots)
    if corpus is None:
        return [open_corpus(reference, roots)]
    found, problems = [], []
    for split in corpus.splits:
        try:
            found.append(open_corpus(f"{reference}/{split}", roots))
        except ValueError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    for problem in problems:
        _logger.warning("left out: %s", problem)
    return found


def known_corpus(name: str, roots: Mapping[str, Path]) -> Corpus | None:
    """The corpus of this name, or that a file of this name describes; None of other things."""
    if name in registry.names("corpora"):
        return cast(Corpus, registry.load("corpora", name))
    path = roots.get(name, Path(name).expanduser())
    if path.suffix.lower() in DESCRIPTIONS and path.is_file():
        return described_by(path, name if name in roots else _name_of(path))
    return None


def described_counts(
    references: Sequence[str], roots: Mapping[str, Path]
) -> dict[str, tuple[int, int]]:
    """The counts that corpora give, users' own too, under the names of their manifests."""
    parts = [part.strip() for reference in references for part in reference.split("+")]
    found = [known_corpus(split_reference(part)[0], roots) for part in parts]
    return {name: pair for corpus in found if corpus for name, pair in corpus.expected().items()}


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
    if path.suffix.lower() in DESCRIPTIONS and path.is_file():
        corpus = described_by(path, name)
        return corpus.open(corpus.root or path.parent, split)
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
