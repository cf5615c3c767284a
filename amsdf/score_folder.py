"""All score files of a folder: `<detector>/<corpus>.tsv` or `.txt`, or a flat folder of files."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from amsdf.score_keys import DEFAULT_SUBSET, read_key
from amsdf.scores import Scores, read_scores

_SUFFIXES = frozenset((".tsv", ".txt", ".csv", ".gz", ".score", ".scores"))
#: What our own commands write beside score files.
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
        key: labels and conditions for files that have none.
        subset: part of the key, or 'all'.
        layout: name of a headerless format, where the content fits several.
        negate: for files in which a higher score means spoof.
    """
    files = _score_files(folder)
    if not files:
        raise ValueError(
            f"{folder}: holds no score file; scores lie at <detector>/<corpus>.tsv, or directly in "
            f"the folder as {', '.join(sorted(_SUFFIXES))}"
        )
    trials = None if key is None else read_key(key)
    tables = []
    for file in files:
        if key is not None and file.samefile(key):
            continue
        scores = read_scores(file, trials, subset, layout, negate)
        tables.append(_named(scores, file, key, subset))
    return tables


def _score_files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such file or folder")
    return _choose(folder.glob("*/*")) or _choose(folder.iterdir())


def _choose(files: Iterable[Path]) -> list[Path]:
    return sorted(
        file
        for file in files
        if file.is_file()
        and file.suffix.lower() in _SUFFIXES
        and file.name not in _OTHERS
        and not file.name.endswith(".failed.tsv")
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
