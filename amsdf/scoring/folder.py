"""All score files of a folder: `<detector>/<corpus>.tsv` or `.txt`, or a flat folder of files."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import polars as pl

from amsdf.scoring.keys import DEFAULT_SUBSET, read_key
from amsdf.scoring.score_files import Scores, join, read_scores

_SUFFIXES = frozenset((".tsv", ".txt", ".csv", ".gz", ".score", ".scores"))
#: Files that our own commands write next to score files.
_OTHERS = frozenset(("failed.tsv", "matrix.csv", "matrix.md", "matrix.tex"))


def read_folder(
    folder: Path,
    key: Path | None = None,
    subset: str = DEFAULT_SUBSET,
    layout: str | None = None,
    negate: bool = False,
) -> list[Scores]:
    """Every score file, with the names of its detector and corpus in the header.

    The header of a file of ours names both. Elsewhere: with a key, all files are of the corpus of
    the key and each is named after its detector; without, each is named after its corpus and their
    folder after the detector.

    Args:
        folder: a folder, or one score file.
        key: labels and conditions for files of other projects.
        subset: part of the key, or 'all'.
        layout: name of a headerless format, where the content fits several.
        negate: for files of other projects in which a higher score means spoof.
    """
    files = _score_files(folder)
    if not files:
        raise ValueError(
            f"{folder}: holds no score file; scores are at <detector>/<corpus>.tsv, or directly in "
            f"the folder as {', '.join(sorted(_SUFFIXES))}"
        )
    trials = None if key is None else read_key(key)
    tables = []
    for file in files:
        if key is not None and file.samefile(key):
            continue
        scores = read_scores(file, layout=layout)
        if negate and not _is_ours(scores):
            scores = replace(scores, table=scores.table.with_columns(-pl.col("score")))
        if trials is not None and (not _is_ours(scores) or scores.table["label"].null_count()):
            scores = join(scores, trials, subset)
        tables.append(_named(scores, file, key, subset))
    if len({_is_ours(table) for table in tables}) == 2:
        return _side_by_side(tables)
    return tables


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


def _score_files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such file or folder")
    return _choose([*folder.glob("*/*"), *folder.iterdir()])


def _choose(files: Iterable[Path]) -> list[Path]:
    return sorted(
        file
        for file in files
        if file.is_file()
        and file.suffix.lower() in _SUFFIXES
        and file.name not in _OTHERS
        and not file.name.endswith(".failed.tsv")
        and not file.name.startswith("grid-")
        and not file.name.startswith(".")
    )


def _named(scores: Scores, file: Path, key: Path | None, subset: str) -> Scores:
    unknown = scores.table["label"].null_count()
    if unknown and "detector" not in scores.header:
        raise ValueError(
            f"{file}: {unknown} trials have no label; give the key that lists them (--key)"
        )
    stem = _stem(file).replace("__", "/")
    if key is None:
        names = {"detector": file.absolute().parent.name, "corpus": stem}
    else:
        part = f"/{subset}" if "subset" in scores.table.columns else ""
        names = {"detector": stem, "corpus": _stem(key) + part}
    return replace(scores, header={**names, **scores.header})


def _stem(file: Path) -> str:
    """`a.b.txt.gz` -> `a.b`."""
    while file.suffix.lower() in _SUFFIXES:
        file = file.with_suffix("")
    return file.name
