"""`Manifest`: a columnar table of utterances, and how one is read from files and folders.

Columns: `utt` (unique), `path` (absolute), `label` (1 bona fide, 0 spoof, null unknown), `corpus`,
and any others (`attack`, `codec`, `speaker`, `start`, `end`, …), which are kept to the score files.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from amsdf.audio.files.sources import SUFFIXES
from amsdf.data.folders import recordings_below
from amsdf.data.shards import find_shards, read_shards
from amsdf.registry import nearest

LABEL_WORDS = {
    **dict.fromkeys(("bonafide", "bona-fide", "bona_fide", "genuine", "real", "human"), 1),
    **dict.fromkeys(("spoof", "fake", "deepfake", "spoofed"), 0),
}
_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".tsv": lambda path: pl.read_csv(path, infer_schema=False, separator="\t"),
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),  # a key may come late
    ".parquet": pl.read_parquet,
}
MANIFEST_SUFFIXES = tuple(_READERS)
#: Paths that are written otherwise than they are: `a//b`, `./a`, `a/`.
_ODD = r"//|(^|/)\.(/|$)|/$|^$"
#: Rows whose text is in memory at once.
_AT_ONCE = 100_000
#: Names, even where they look like numbers.
_WORDS = ("split", "subset", "speaker", "attack")


@dataclass(frozen=True)
class Manifest:
    """Utterances of one corpus; `name` is how tables and score files call it.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"utt": ["a"], "path": ["/a.wav"], "label": [1]})
        >>> Manifest("mine", table).count(1)
        1
    """

    name: str
    table: pl.DataFrame

    def __post_init__(self) -> None:
        if self.table["utt"].n_unique() < len(self.table):
            duplicates = self.table.filter(self.table["utt"].is_duplicated())["utt"]
            raise ValueError(
                f"{self.name}: utterance id {duplicates[0]!r} occurs "
                f"{(duplicates == duplicates[0]).sum()} times; ids must be unique"
            )
        if not len(self.table):
            raise ValueError(f"{self.name}: lists no utterance; it needs at least one row")

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits over all columns, of the paths only the file names."""
        digest = hashlib.sha256()
        for number, rows in enumerate(self.table.iter_slices(_AT_ONCE)):
            named = rows.with_columns(pl.col("path").str.split("/").list.last())
            digest.update(named.write_csv(include_header=not number).encode())
        return digest.hexdigest()[:12]

    def count(self, label: int) -> int:
        """How many utterances carry `label`."""
        return int((self.table["label"] == label).sum())

    def require_both_classes(self) -> "Manifest":
        """Refuse a set on which no EER exists."""
        if not self.count(1) or not self.count(0):
            raise ValueError(
                f"{self.name}: {self.count(1)} bona fide and {self.count(0)} spoof utterances; "
                "an EER needs both classes"
            )
        return self

    def seconds(self, column: str) -> pl.Series:
        """A column of times as numbers; null where it is empty or there is no such column."""
        if column not in self.table.columns:
            return pl.Series(column, [None] * len(self), dtype=pl.Float64)
        return _seconds(self.name, self.table[column])

    def select(self, split: str) -> "Manifest":
        """The rows whose `split` column says so."""
        if "split" not in self.table.columns:
            raise ValueError(f"{self.name}: has no column 'split', so no part {split!r}")
        known = sorted(self.table["split"].unique().drop_nulls().to_list())
        if split not in known:
            raise ValueError(
                f"{self.name}: no split {split!r}.{nearest(split, known)} "
                f"It has: {', '.join(known)}"
            )
        return Manifest(f"{self.name}/{split}", self.table.filter(pl.col("split") == split))


def join_manifests(manifests: Sequence[Manifest], name: str | None = None) -> Manifest:
    """One set of several corpora; ids that occur in two of them get the corpus in front.

    Training corpora are joined so, and a corpus without real speech with one that has it.
    """
    if len(manifests) == 1 and name is None:
        return manifests[0]
    table = pl.concat([manifest.table for manifest in manifests], how="diagonal_relaxed")
    if table["utt"].is_duplicated().any():
        table = table.with_columns(utt=pl.format("{}/{}", "corpus", "utt"))
    return Manifest(name or "+".join(manifest.name for manifest in manifests), table)


def label_of(word: str) -> int | None:
    """1 or 0 for a label word, None for one that is not understood."""
    return LABEL_WORDS.get(str(word).strip().lower())


def build_manifest(name: str, table: pl.DataFrame) -> Manifest:
    """A manifest from columns `path`, `label` (words) and, if there, `utt` and others."""
    if "utt" not in table.columns:
        table = table.with_columns(utt=pl.col("path").cast(pl.String))
    for column in ("path", "utt"):
        empty = table[column].null_count() + (table[column].cast(pl.String) == "").sum()
        if empty:
            raise ValueError(f"{name}: {empty} rows have no {column}; fill in or drop them")
    table = table.with_columns(
        *(_seconds(name, table[column]) for column in ("start", "end") if column in table.columns),
        *(pl.col(column).cast(pl.String) for column in _WORDS if column in table.columns),
        pl.col("utt").cast(pl.String),
        label=_labels(name, table["label"]) if "label" in table.columns else None,
        corpus=pl.lit(name),
    ).cast({"label": pl.Int8})
    first = ["utt", "path", "label", "corpus"]
    return Manifest(name, table.select(*first, pl.exclude(first)))


def _labels(name: str, words: pl.Series) -> pl.Series:
    known = {word: label_of(word) for word in words.unique().to_list() if word is not None}
    strange = sorted(str(word) for word, label in known.items() if label is None)
    if strange:
        raise ValueError(
            f"{name}: label {strange[0]!r} is not understood; "
            f"use one of {', '.join(word for word in LABEL_WORDS if word.isalpha())} "
            "(numbers are not taken: they mean different things in different corpora)"
        )
    if words.null_count():
        raise ValueError(f"{name}: {words.null_count()} rows have no label; say bonafide or spoof")
    return words.replace_strict(known, return_dtype=pl.Int8)


def _seconds(name: str, times: pl.Series) -> pl.Series:
    """Times as numbers; an empty cell is null."""
    times = times.replace("", None) if times.dtype == pl.String else times
    seconds = times.cast(pl.Float64, strict=False)
    strange = times.filter(times.is_not_null() & ~seconds.is_finite().fill_null(False))
    if len(strange):
        raise ValueError(
            f"{name}: {times.name} {strange[0]!r} is not a number of seconds; "
            "correct the column or drop it"
        )
    return seconds


def read_manifest(path: Path, name: str | None = None, labelled: bool = True) -> Manifest:
    """A manifest from a file, from a folder with `real/` and `fake/`, or from unlabelled sound."""
    name = name or (path.parent.name if path.stem == "manifest" else path.stem)
    if path.is_dir():
        return _read_folder(path, name, labelled)
    if shards := find_shards(path):
        return _read_shards(name, path, shards, labelled)
    if not path.is_file():
        raise ValueError(
            f"{path}: no such file or folder; give a recording, "
            f"a manifest ({', '.join(MANIFEST_SUFFIXES)}) or a folder of recordings"
        )
    if path.suffix.lower() in SUFFIXES or not (labelled or path.suffix.lower() in _READERS):
        return _read_recordings(name, path, [path], labelled)  # what it is, decoders say
    return _read_table(path, name, labelled)


def _read_table(path: Path, name: str, labelled: bool) -> Manifest:
    if path.suffix.lower() not in _READERS:
        raise ValueError(
            f"{path}: is not a manifest; "
            f"give {', '.join(MANIFEST_SUFFIXES)} or a folder with real/ and fake/"
        )
    try:
        table = _READERS[path.suffix.lower()](path)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{path}: is not a {path.suffix} table ({reason}); its first line names the columns, "
            "for instance path,label"
        ) from None
    _check_columns(path, table, ("path", "label") if labelled else ("path",))
    if "utt" not in table.columns:
        table = table.with_columns(utt=pl.col("path"))
    if not labelled and "label" in table.columns and table["label"].null_count():
        table = table.drop("label")
    root = path.parent.absolute()
    try:
        return build_manifest(name, table.with_columns(path=absolute(table["path"], root)))
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{name}: ')}") from None


def _check_columns(path: Path, table: pl.DataFrame, needed: Sequence[str]) -> None:
    for column in needed:
        if column not in table.columns:
            raise ValueError(
                f"{path}: has no column {column!r}.{nearest(column, table.columns)} "
                f"It needs {','.join(needed)} and has {', '.join(map(repr, table.columns))}"
            )
    for column, kind in table.schema.items():
        if kind.is_nested():
            raise ValueError(f"{path}: column {column!r} holds lists or objects; give plain values")


def absolute(paths: pl.Series, root: Path) -> pl.Series:
    """Paths relative to `root` made absolute."""
    words = paths.cast(pl.String)
    below = words.to_frame("path").select(
        pl.when(pl.col("path").str.starts_with("/"))
        .then("path")
        .otherwise(pl.lit(f"{root}".rstrip("/") + "/") + pl.col("path"))
    )
    odd = (words.str.contains(_ODD) | (os.sep != "/")).arg_true()
    plain = [path and str(root / path) for path in words.gather(odd)]
    return below.to_series().scatter(odd, plain).alias(paths.name)


def _read_folder(path: Path, name: str, labelled: bool) -> Manifest:
    if table := find_table(path):
        return read_manifest(table, name, labelled)
    classes = [folder for folder in path.iterdir() if folder.is_dir() and _is_class(folder)]
    if {label_of(folder.name) for folder in classes} == {0, 1}:
        return _read_classes(path, name, classes)
    if shards := find_shards(path):
        return _read_shards(name, path, shards, labelled)
    return _read_recordings(name, path, recordings_below(path), labelled)


def _read_shards(name: str, path: Path, shards: Sequence[Path], labelled: bool) -> Manifest:
    table = read_shards(shards)
    if labelled and "label" not in table.columns:
        raise ValueError(f"{path}: has no labels; give a column or a field called label")
    return build_manifest(name, table if labelled else table.drop("label", strict=False))


def find_table(folder: Path) -> Path | None:
    """The `manifest.csv` (…) of a folder, which says what belongs to it."""
    tables = (folder / f"manifest{suffix}" for suffix in MANIFEST_SUFFIXES)
    return next((table for table in tables if table.is_file()), None)


def _is_class(folder: Path) -> bool:
    return label_of(folder.name) is not None


def _read_classes(path: Path, name: str, classes: Sequence[Path]) -> Manifest:
    rows = [
        (str(file.relative_to(path)), str(file.absolute()), folder.name)
        for folder in sorted(classes)
        for file in recordings_below(folder)
    ]
    table = pl.DataFrame(rows, schema=["utt", "path", "label"], orient="row")
    return build_manifest(name, table)


def _read_recordings(name: str, root: Path, files: Sequence[Path], labelled: bool) -> Manifest:
    if labelled:
        raise ValueError(
            f"{root}: has no labels; "
            "give a manifest with path,label or a folder with real/ and fake/"
        )
    if not files:
        raise ValueError(f"{root}: holds no sound file: none ends in .wav, .flac, .mp3, .mp4 …")
    folder = root if root.is_dir() else root.parent
    rows = [(str(file.relative_to(folder)), str(file.absolute())) for file in files]
    return build_manifest(name, pl.DataFrame(rows, schema=["utt", "path"], orient="row"))
