"""Paths on the command line to names: an experiment says what, never where."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from amsdf import registry
from amsdf.data.corpora.finding.corpus import split_reference


def name_references(
    references: Sequence[str] | None, roots: Mapping[str, Path]
) -> tuple[list[str] | None, dict[str, Path]]:
    """References with each path replaced by a name, and the roots that such names now have."""
    roots = dict(roots)
    if references is None:
        return None, roots
    return ["+".join(_name(part, roots) for part in _parts(ref)) for ref in references], roots


def _parts(reference: str) -> list[str]:
    """The corpora that `+` joins; a `+` in the name of a folder joins nothing."""
    path = Path(reference).expanduser()
    inside = "+" in str(path.parent) and "+" not in path.name and path.parent.exists()
    return [reference] if path.exists() or inside else reference.split("+")


def _name(reference: str, roots: dict[str, Path]) -> str:
    name, _ = split_reference(reference)
    if name in registry.names("corpora") or name in roots:
        return reference
    path = Path(reference).expanduser().absolute()
    if not path.exists() and not ("/" in reference and path.parent.exists()):
        return reference  # refused later, with the known names
    root, split = (path, "") if path.exists() else (path.parent, f"/{path.name}")
    base = (root.parent.name if root.stem == "manifest" else root.stem).replace("+", "-")
    if base in registry.names("corpora") and root.is_file():
        raise ValueError(f"{root}: {base!r} is a corpus of this package; call yours something else")
    if roots.get(base, root) != root:
        raise ValueError(f"two corpora are called {base!r}: name one with --data NAME={root}")
    roots[base] = root
    return base + split
