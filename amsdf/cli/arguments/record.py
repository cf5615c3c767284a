"""What a command leaves in `bundle.json`, so that `verify` can make its tables again."""

from argparse import Action, Namespace, _AppendAction
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amsdf.cli.flags import parser_of
from amsdf.evaluation.bundles.record import RECORD, Record, digests, forget_replaced, relative

_TABLES = (".csv", ".md", ".tex", ".json", ".html")
#: Flags of `report` that name files, alone or behind `CORPUS=`.
_FILES = ("key", "asv", "asv_key")
#: Times of files are a little coarser than the clock.
_COARSE = 0.1


@dataclass(frozen=True)
class Made:
    """Score files below `root`, and when their tables began to be written."""

    root: Path
    scores: Sequence[Path]
    started: float
    #: Detector -> its experiment in YAML.
    experiments: Mapping[str, str] = field(default_factory=dict)


def write_record(args: Namespace, out: Path, made: Made) -> None:
    """Write a record of the score files, the files beside them, and the new tables in `out`."""
    words, named = report_words(args, out)
    tables = [
        file
        for folder in (out, out / "report")
        for file in sorted(folder.glob("[!.]*"))
        if file.suffix in _TABLES
        and file.name != RECORD
        and file.stat().st_mtime >= made.started - _COARSE
    ]
    beside = {
        file
        for folder in {file.parent for file in made.scores}
        for file in folder.glob("*.json")
        if folder.absolute() != out.absolute() and file.name != RECORD
    }
    failed = [file for file in (made.root / "failed.tsv",) if file.is_file()]
    Record(
        made_by=args.command,
        files=digests(out, [*made.scores, *beside, *failed, *named, *tables]),
        root=relative(out, made.root),
        scores=tuple(relative(out, file) for file in made.scores),
        tables=tuple(relative(out, file) for file in tables),
        words=tuple(words),
        experiments=made.experiments,
    ).write(out)
    forget_replaced(out)
    if any(table.parent.name == "report" for table in tables if table.parent != out):
        (out / "report" / RECORD).unlink(missing_ok=True)  # of tables that are replaced


def report_words(args: Namespace, folder: Path) -> tuple[list[str], list[Path]]:
    """The flags of `report` that say the same as some arguments, and the files that they name.

    In the words `@/` stands for `folder`.
    """
    words: list[str] = []
    files: list[Path] = []
    for action in parser_of("report")._actions:
        value = getattr(args, action.dest, None)
        if not action.option_strings or action.dest in ("out", "help"):
            continue
        if value is None or value == action.default:
            continue
        flag, given = action.option_strings[0], _values(action, value)
        if action.dest in _FILES:
            files += [_path(str(each)) for each in given]
            given = [_portable(str(each), folder) for each in given]
        if value is True:
            words.append(flag)
        elif action.nargs in ("+", "*"):
            words += [flag, *map(str, given)]
        else:
            words += [word for each in given for word in (flag, str(each))]
    return words, files


def _values(action: Action, value: object) -> list[object]:
    """What was given to a flag: once for each time, or for each word that it takes."""
    if not isinstance(value, list | tuple):
        return [value]
    if isinstance(action, _AppendAction) or action.nargs in ("+", "*"):
        return list(value)
    return [",".join(map(str, value))]  # NAME,… that was split when it was read


def _path(word: str) -> Path:
    """The file of `FILE` or `CORPUS=FILE`."""
    return Path(word) if Path(word).is_file() else Path(word.partition("=")[2])


def _portable(word: str, folder: Path) -> str:
    path = _path(word)
    return f"{word.removesuffix(str(path))}@/{relative(folder, path)}"
