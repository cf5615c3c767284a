"""Where corpora are: `--data name=path`, then `$AMSDF_DATA`, then `data.yaml`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from amsdf.config import read_yaml
from amsdf.data.corpora.finding.corpus import split_reference


def find_roots(
    options: Sequence[str], environ: Mapping[str, str], data_yaml: Path
) -> dict[str, Path]:
    """Corpus names to folders; the first source that knows a name wins.

    Args:
        options: `name=path` each.
        environ: `AMSDF_DATA` holds `name=path` and folders of corpora, separated as in `$PATH`.
        data_yaml: A mapping of names to paths, relative to itself; it may be absent.
    """
    roots = _from_file(data_yaml) if data_yaml.is_file() else {}
    for entry in reversed(environ.get("AMSDF_DATA", "").split(os.pathsep)):
        if entry:
            roots |= _pair(entry, "$AMSDF_DATA") if "=" in entry else _below(Path(entry))
    for option in options:
        roots |= _pair(option, "--data")
    return roots


def roots_here(options: Sequence[str] | None = None) -> dict[str, Path]:
    """The roots of this process: its environment, and `data.yaml` of the current folder."""
    return find_roots(options or (), os.environ, Path("data.yaml"))


def _root(name: str, path: Path) -> dict[str, Path]:
    return {split_reference(name)[0]: path.expanduser().absolute()}


def _pair(text: str, source: str) -> dict[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise ValueError(f"{source}: {text!r} is not of the form name=path")
    return _root(name, Path(path))


def _below(folder: Path) -> dict[str, Path]:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise ValueError(f"$AMSDF_DATA: {folder}: no such folder; give a folder or name=path")
    roots: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            roots |= _root(entry.name, entry)
    return roots


def _from_file(path: Path) -> dict[str, Path]:
    roots: dict[str, Path] = {}
    for name, value in read_yaml(path).items():
        if not isinstance(value, str):
            raise ValueError(f"{path}: {name!r} must be a path, not {value!r}")
        roots |= _root(str(name), path.parent / Path(value).expanduser())
    return roots
