"""All score files of a folder: `<detector>/<corpus>.tsv` or `.txt`, or a flat folder of files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from amsdf.scoring.calibration.calibration import Calibration, read_calibration
from amsdf.scoring.score_files.keys import DEFAULT_SUBSET, read_key
from amsdf.scoring.score_files.table import (
    Foreign,
    Scores,
    detector_of,
    join,
    read_scores,
    spelled_as,
)

_SUFFIXES = frozenset((".tsv", ".txt", ".csv", ".gz", ".score", ".scores"))
#: Files that our own commands write next to score files.
_OTHERS = frozenset(("failed.tsv", "matrix.csv", "matrix.md", "matrix.tex"))


def read_folder(
    folder: Path,
    keys: Mapping[str, Path] | None = None,
    subset: str = DEFAULT_SUBSET,
    how: Foreign | None = None,
) -> list[Scores]:
    """Every score file, with the names of its detector and corpus in the header.

    The header of a file of ours names both. Elsewhere: without a key, a file is named after its
    corpus and its folder after the detector. With a key, its corpus is that of the key and it is
    named after its detector. Of several keys a file belongs to the one that it is named after, or
    else to the one that lists its trials.

    Args:
        folder: A folder, or one score file.
        keys: Corpus -> labels and conditions for files of other projects, see `named_keys`.
        subset: Part of the keys, or 'all'.
        how: How files of other projects are to be understood.
    """
    how = how or Foreign()
    given = [_Key(name, path, how.bonafide_label) for name, path in (keys or {}).items()]
    files = score_files(folder, [key.path for key in given])
    if not files:
        raise ValueError(
            f"{folder}: holds no score file; scores are at <detector>/<corpus>.tsv, or directly in "
            f"the folder as {', '.join(sorted(_SUFFIXES))}"
        )
    tables = []
    for file in files:
        scores, key = read_scores(file, how=how), None
        if given and (not _is_ours(scores) or scores.table["label"].null_count()):
            key = _key_of(file, scores, given)
            scores = join(scores, key.trials, subset)
        tables.append(_named(scores, file, key, subset))
    if not given:
        _refuse_flags_without_effect(folder, tables, how)
    if len({_is_ours(table) for table in tables}) == 2:
        return _side_by_side(tables)
    return tables


def named_keys(words: Sequence[str]) -> dict[str, Path]:
    """`FILE` or `CORPUS=FILE` each -> corpus and file; a file alone is named after itself."""
    found: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or Path(word).is_file():
            name, path = _stem(Path(word)), word
        if not name or not path:
            raise ValueError(f"--key {word}: is not of the form FILE or CORPUS=FILE")
        if name in found:
            raise ValueError(
                f"--key: two are called {name!r} ({found[name]}, {path}); "
                "name them: --key CORPUS=FILE"
            )
        found[name] = Path(path)
    return found


@dataclass(frozen=True)
class _Key:
    """A key, read when it is needed."""

    name: str
    path: Path
    bonafide_label: int | None

    @cached_property
    def trials(self) -> pl.DataFrame:
        """Its trials with labels and conditions."""
        return read_key(self.path, None, self.bonafide_label)


def _key_of(file: Path, scores: Scores, keys: Sequence[_Key]) -> _Key:
    """The key that a file is named after, or else the one that lists its trials."""
    fitting = [key for key in keys if len(keys) == 1 or key.name == _corpus(file)]
    if not fitting:
        fitting = [key for key in keys if _lists(key, scores)]
    if len(fitting) == 1:
        return fitting[0]
    those = ", ".join(key.name for key in fitting or keys)
    raise ValueError(
        f"{file}: its trials are in several keys ({those}); name the file after its corpus"
        if fitting
        else f"{file}: its trials are in none of the keys ({those})"
    )


def _lists(key: _Key, scores: Scores) -> bool:
    ids = spelled_as(scores, key.trials).table["utt"]
    return bool(ids.is_in(key.trials["utt"].implode()).any())


def _refuse_flags_without_effect(folder: Path, tables: Sequence[Scores], how: Foreign) -> None:
    """Refuse to be told of files what they say themselves."""
    if how.negate and all(_is_ours(table) for table in tables):
        raise ValueError(
            f"--negate: all score files in {folder} are ours, in which higher means bona fide; "
            "leave it out"
        )
    told = how.bonafide_label is not None
    if told and not any("bonafide_label" in table.header for table in tables):
        raise ValueError(
            f"--bonafide-label: no score file in {folder} has numbers as labels; leave it out"
        )


def _is_ours(scores: Scores) -> bool:
    """Whether a file says corpus and polarity itself, so that neither key nor sign is needed."""
    return "manifest_hash" in scores.header


def _side_by_side(tables: list[Scores]) -> list[Scores]:
    """Scores of other projects beside our own of the same trials: one corpus, other detectors."""
    own = {_ids(table): table.header["corpus"] for table in tables if _is_ours(table)}
    found = []
    for table in tables:
        corpus = None if _is_ours(table) else own.get(_ids(table))
        names = {"corpus": corpus, "detector": table.name} if corpus else {}
        found.append(replace(table, header={**table.header, **names}))
    return found


def _ids(table: Scores) -> frozenset[str]:
    return frozenset(table.table["utt"])


def score_files(folder: Path, keys: Sequence[Path] = ()) -> list[Path]:
    """The score files of a folder, without the keys that are in it; or the one file given."""
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such file or folder")
    files = _choose([*folder.glob("*/*"), *folder.iterdir()])
    return [file for file in files if not any(file.samefile(key) for key in keys)]


def _choose(files: Iterable[Path]) -> list[Path]:
    return sorted(
        file
        for file in files
        if file.is_file()
        and file.suffix.lower() in _SUFFIXES
        and file.name not in _OTHERS
        and not file.name.endswith(".failed.tsv")
        and not (file.name.startswith(("grid-", "by-")) and file.suffix == ".csv")
        and not file.name.startswith(".")
    )


def _named(scores: Scores, file: Path, key: _Key | None, subset: str) -> Scores:
    unknown = scores.table["label"].null_count()
    if unknown and "detector" not in scores.header:
        raise ValueError(
            f"{file}: {unknown} trials have no label; give the key that lists them (--key)"
        )
    folder = file.absolute().parent.name
    if key is None:
        names = {"detector": folder, "corpus": _corpus(file)}
    else:
        part = f"/{subset}" if "subset" in scores.table.columns else ""
        own = key.name == _corpus(file)
        names = {"detector": folder if own else _corpus(file), "corpus": key.name + part}
    return replace(scores, header={**names, **scores.header})


def _corpus(file: Path) -> str:
    """The corpus that a file is named after, if it is named after one."""
    return _stem(file).replace("__", "/")


def _stem(file: Path) -> str:
    """`a.b.txt.gz` -> `a.b`."""
    while file.suffix.lower() in _SUFFIXES:
        file = file.with_suffix("")
    return file.name


def calibrations_beside(folder: Path, tables: Iterable[Scores]) -> dict[str, Calibration]:
    """The calibrations that `eval` kept beside the scores, by the name of the detector."""
    names = dict.fromkeys(detector_of(table) for table in tables)
    found = {name: read_calibration(folder / name) for name in names if folder.is_dir()}
    return {name: calibration for name, calibration in found.items() if calibration is not None}
