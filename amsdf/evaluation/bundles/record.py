"""`bundle.json`: the files of a result folder, what made them, and how to make them again.

Its text is the only text of its content, and it holds its own digest: no byte of it can change
unnoticed, and none of the files that it lists.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from amsdf.files import write_text
from amsdf.training.runs.environment import environment

RECORD = "bundle.json"
KIND = "amsdf bundle 1"
_KEYS = (
    *("kind", "made_by", "root", "files", "scores", "tables", "words", "experiments"),
    "environment",
)


@dataclass(frozen=True)
class Record:
    """What `bundle.json` says; paths are relative to its folder."""

    #: The command: eval, report, arena.
    made_by: str
    #: Path -> SHA-256 of every file.
    files: Mapping[str, str]
    #: The folder of score files.
    root: str = "."
    #: Of the files: those with the scores that everything is computed from.
    scores: tuple[str, ...] = ()
    #: Of the files: tables.
    tables: tuple[str, ...] = ()
    #: Flags of `report` that make the tables again; `@/` stands for the folder of the record.
    words: tuple[str, ...] = ()
    #: Detector -> its experiment in YAML.
    experiments: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=environment)

    def write(self, folder: Path) -> Path:
        """Write it into a folder -> its path."""
        write_text(folder / RECORD, self.to_json())
        return folder / RECORD

    def to_json(self) -> str:
        """Its one text: keys in order, the digest of all others at the end."""
        content = {"kind": KIND, **asdict(self)}
        content = {key: content[key] for key in _KEYS}
        digest = hashlib.sha256(_text(content).encode()).hexdigest()
        return _text({**content, "digest": digest}) + "\n"

    def without(self, names: Iterable[str]) -> "Record":
        """The same without some files."""
        gone = set(names)
        return replace(
            self,
            files={name: digest for name, digest in self.files.items() if name not in gone},
            tables=tuple(name for name in self.tables if name not in gone),
        )


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False)


def digests(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Path relative to `folder` -> SHA-256 of each file."""
    named = {relative(folder, file): file for file in files}
    return {name: digest_of_file(named[name]) for name in sorted(named)}


def relative(folder: Path, file: Path) -> str:
    """A path as a record names it; it may lead out of the folder."""
    return Path(os.path.relpath(file, folder)).as_posix()


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_record(folder: Path) -> Record:
    """The record of a folder; one that was changed is refused."""
    path = folder / RECORD
    if not path.is_file():
        raise ValueError(
            f"{folder}: holds no {RECORD}; give a folder that eval, report or arena has written"
        )
    refusal = f"{path}: is not as it was written; take it from where it came, or make it anew"
    try:
        text = path.read_bytes().decode()
        content = json.loads(text)
        given = {key: content[key] for key in _KEYS[1:]}
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(refusal) from None
    lists = {key: tuple(given[key]) for key in ("scores", "tables", "words")}
    record = Record(**{**given, **lists})
    if record.to_json() != text:
        raise ValueError(refusal)
    return record


def refuse_changes(folder: Path, record: Record) -> None:
    """Refuse a folder in which a file is missing, or is not what the record says."""
    missing = [name for name in record.files if not (folder / name).is_file()]
    changed = [
        name
        for name, digest in record.files.items()
        if name not in missing and digest_of_file(folder / name) != digest
    ]
    found = [
        f"{', '.join(names[:3])}{f' and {len(names) - 3} more' * (len(names) > 3)} {what}"
        for names, what in ((missing, "missing"), (changed, "not as written (SHA-256 differs)"))
        if names
    ]
    if found:
        raise ValueError(f"{folder}: {'; '.join(found)}")


def forget_replaced(folder: Path) -> None:
    """Take the files of `folder` out of the record of the folder above: they are written anew."""
    above = folder.absolute().parent
    if not (above / RECORD).is_file():
        return
    record = read_record(above)
    inside = [name for name in record.files if name.startswith(f"{folder.name}/")]
    if inside:
        record.without(inside).write(above)
