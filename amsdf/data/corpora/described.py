"""The reader of corpora that are described in YAML: those of this package, and a user's own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from amsdf.audio.files.sources import is_there
from amsdf.data.corpora.reading.columns import PROTOCOLS
from amsdf.data.corpora.reading.description import (
    Description,
    LabelWords,
    Rows,
    read_description,
    texts,
)
from amsdf.data.corpora.reading.protocol import (
    WrongLayout,
    corpus_manifest,
    find_path,
    read_delimited,
    read_fields,
)
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.corpora.reading.templates import fill, fill_known, fixed_folder, pattern_of
from amsdf.data.folders import recordings_below
from amsdf.data.manifest import LABEL_WORDS, Manifest
from amsdf.data.shards import read_shards

_FOLDER = Path(__file__).parent / "descriptions"
_SEPARATORS = {"comma": ",", "tab": "\t", "bar": "|", "semicolon": ";"}
#: How many rows are looked at to find out where the recordings are.
_LOOKED_AT = 64
_ANY_SUFFIX = ".*"
_GROUPS = re.compile(r"\(\?P<(\w+)>")


def __getattr__(name: str) -> Corpus:
    """`SPOOFCELEB` is what `descriptions/spoofceleb.yaml` describes: entry points name it so."""
    path = _FOLDER / f"{name.lower().replace('_', '-')}.yaml"
    if not path.is_file():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return described_corpus(read_description(path, path.stem))


def described_corpus(description: Description) -> Corpus:
    """A description as a corpus like any other."""
    splits = tuple(description.splits)
    source = ", ".join(text for text in (description.title, description.source) if text)
    return Corpus(
        name=description.name,
        splits=splits,
        read=partial(read_described, description),
        source=source or f"{description.name}, your own",
        layout=description.layout or _layout(description),
        licence=description.licence,
        columns=_columns(description),
        notes=description.notes,
        counts=description.counts,
        default_split=description.default_split or splits[0],
        pooled=tuple(description.pooled),
    )


def described_by(path: Path, name: str) -> Corpus:
    """The corpus that a user describes in a YAML file; `name` is taken where it gives none."""
    description = read_description(path, name)
    corpus = described_corpus(description)
    return replace(corpus, root=path.parent / Path(description.root).expanduser())


def _layout(description: Description) -> str:
    sources = ("table", "recordings", "shards")
    lists = (texts(getattr(rows, name)) for rows in description.rows for name in sources)
    return "\n".join(text for found in lists for text in found)


def _columns(description: Description) -> tuple[str, ...]:
    """What the rows are given, in the order in which it is named."""
    found: dict[str, None] = {}
    for rows in description.rows:
        known = PROTOCOLS[rows.columns] if isinstance(rows.columns, str) else rows.columns
        values = description.values([*rows.splits, *description.splits][0])
        patterns = [pattern_of(fill_known(text, values)) for text in texts(rows.recordings)]
        groups = "".join([*patterns, *rows.extract.values()])
        named = [*known, *_GROUPS.findall(groups), *rows.translate, *rows.constants]
        kept = [name.rstrip("?.") for name in named]
        taken = {"utt", "path", "label", "split", "_", *rows.drop}
        found |= dict.fromkeys(name for name in kept if name not in taken)
    return tuple(found)


def read_described(description: Description, root: Path, split: str) -> Manifest:
    """The manifest of a split, from all rows of the description that belong to it."""
    values = description.values(split)
    rows = [rows for rows in description.rows if not rows.splits or split in rows.splits]
    try:
        tables = [_read_rows(part, root.absolute(), values) for part in rows]
    except pl.exceptions.PolarsError as error:  # a pattern, or a column that is not there
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"description of {description.name!r}: {reason}") from None
    found = [table for table in tables if len(table)]
    if not found:
        raise WrongLayout(f"{root} has no recordings of {split!r}")
    return corpus_manifest(description.name, split, found)


def _read_rows(rows: Rows, root: Path, values: Mapping[str, str]) -> pl.DataFrame:
    kinds: dict[str, Callable[[Rows, Path, Mapping[str, str]], pl.DataFrame]] = {
        "table": _table,
        "recordings": _recordings,
        "shards": _shards,
    }
    kind = next(name for name in kinds if getattr(rows, name))
    try:
        table = kinds[kind](rows, root, values)
    except WrongLayout:
        if rows.optional:
            return pl.DataFrame()
        raise
    table = _further_columns(rows, table, values)
    table = _chosen(rows, table, values)
    if not len(table) and not rows.optional:
        place = fill_known(texts(getattr(rows, kind))[0], values)
        raise WrongLayout(f"{root} has no recordings such as {place}")
    table = _labelled(rows.label, table)
    if kind == "table":
        table = table.with_columns(path=_audio(rows, table, root, values))
    utt = fill_known(rows.utt, values)
    table = table.with_columns(utt=fill(utt, table))
    return table.drop(rows.drop, strict=False)


def _table(rows: Rows, root: Path, values: Mapping[str, str]) -> pl.DataFrame:
    path = find_path(root, *(fill_known(text, values) for text in texts(rows.table)))
    columns = PROTOCOLS[rows.columns] if isinstance(rows.columns, str) else rows.columns
    if rows.separator == "blanks":
        always = [name for name in columns if not name.endswith("?")]
        return read_fields(path, always, [name[:-1] for name in columns if name.endswith("?")])
    separator = _SEPARATORS[rows.separator]
    return read_delimited(path, separator, columns, has_header=rows.header, is_quoted=rows.quoted)


def _recordings(rows: Rows, root: Path, values: Mapping[str, str]) -> pl.DataFrame:
    """The sound files that fit one of the patterns, with what their paths say."""
    found = []
    for text in texts(rows.recordings):
        template = fill_known(text, values)
        folder = root / fixed_folder(template)
        files = recordings_below(folder) if folder.is_dir() else []
        paths = pl.Series("path", [str(file) for file in files], dtype=pl.String)
        utts = paths.str.strip_prefix(f"{root}/").alias("utt")
        pattern = pattern_of(template)
        table = pl.DataFrame([utts, paths]).filter(pl.col("utt").str.contains(pattern))
        found.append(_extracted(table, "utt", pattern))
    return pl.concat(found, how="diagonal").unique("utt", keep="first", maintain_order=True)


def _shards(rows: Rows, root: Path, values: Mapping[str, str]) -> pl.DataFrame:
    patterns = [fill_known(text, values) for text in texts(rows.shards)]
    files = sorted({file for pattern in patterns for file in root.glob(pattern)})
    if not files:
        raise WrongLayout(f"{root} has no {patterns[0]}")
    return read_shards(files)


def _extracted(table: pl.DataFrame, column: str, pattern: str) -> pl.DataFrame:
    """With a column for each named group of the pattern, `-` where it took no part."""
    if "?P<" not in pattern:
        return table
    groups = table[column].str.extract_groups(pattern).struct.unnest()
    named = [name for name in groups.columns if not name.isdecimal()]
    return table.with_columns(groups.select(pl.col(named).fill_null("-").replace("", "-")))


def _further_columns(rows: Rows, table: pl.DataFrame, values: Mapping[str, str]) -> pl.DataFrame:
    for column, pattern in rows.extract.items():
        table = _extracted(table, column, pattern)
    for column, translation in rows.translate.items():
        words = pl.col(translation.column).replace(translation.words)
        table = table.with_columns(words.alias(column))
    return table.with_columns(
        pl.lit(fill_known(text, values)).alias(column) for column, text in rows.constants.items()
    )


def _chosen(rows: Rows, table: pl.DataFrame, values: Mapping[str, str]) -> pl.DataFrame:
    for column, words in rows.where.items():
        known = [fill_known(word, values).lower() for word in texts(words)]
        table = table.filter(pl.col(column).str.to_lowercase().is_in(known))
    return table


def _labelled(label: str | LabelWords, table: pl.DataFrame) -> pl.DataFrame:
    """Column `label` in our words; a word that the description does not know is an error."""
    if isinstance(label, str):
        return table.with_columns(label=fill(label, table))
    column = pl.col(label.column).cast(pl.String).str.strip_chars()
    plain = not (label.bonafide or label.spoof)
    ours = dict.fromkeys(label.bonafide, "bonafide") | dict.fromkeys(label.spoof, "spoof")
    if plain:
        ours = {word: ("spoof", "bonafide")[value] for word, value in LABEL_WORDS.items()}
        column = column.str.to_lowercase()
    table = table.filter(~column.is_in(label.skip).fill_null(False))
    default = ours.pop("*", None)
    words = table.select(column.alias("label"))["label"].fill_null("")
    strange = words.filter(~words.is_in(list(ours))).unique().sort()
    if len(strange) and default is None:
        known = ", ".join([*ours, *label.skip])
        raise ValueError(f"label {strange[0]!r} is not understood; the known ones are {known}")
    return table.with_columns(label=words.replace_strict(ours, default=default))


def _audio(rows: Rows, table: pl.DataFrame, root: Path, values: Mapping[str, str]) -> pl.Series:
    """The paths by that template where most files are, of some rows here and there."""
    templates = [fill_known(text, values) for text in texts(rows.audio)]
    columns = [_paths(text, table, root) for text in templates]
    step = max(1, len(table) // _LOOKED_AT)
    hits = [
        sum(is_there(path) for path in column.gather_every(step)) if len(columns) > 1 else 0
        for column in columns
    ]
    return columns[hits.index(max(hits))]


def _paths(template: str, table: pl.DataFrame, root: Path) -> pl.Series:
    """The template filled; one that ends in `.*` stands for the sound file of that name."""
    known = template.removesuffix(_ANY_SUFFIX)
    paths = table.select(path=pl.lit(f"{root}/") + fill(known, table))["path"]
    if known == template:
        return paths
    folder = root / fixed_folder(template)
    files = recordings_below(folder) if folder.is_dir() else []
    found = {str(file.with_suffix("")): str(file) for file in files}
    return paths.replace_strict(found, default=paths + ".wav", return_dtype=pl.String)
