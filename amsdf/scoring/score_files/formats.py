"""The text formats of scores and keys that the field publishes, told apart by their content.

A table without a header is read by position, by the first layout whose columns hold what they
should: a number as score, a label word as label. A table with a header is read by column names.
"""

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from amsdf.data.corpora.reading.columns import PROTOCOLS
from amsdf.registry import nearest
from amsdf.scoring.score_files.labels import is_number, label_of_word

Layouts = Mapping[str, tuple[str, ...]]

SCORE_LAYOUTS: Layouts = {
    "asvspoof2019": ("utt", "attack", "label", "score"),  # AASIST, AIR-ASVspoof, spoof_SUPERB
    "asvspoof5-baseline": ("speaker", "utt", "score", "label"),
    "utt-score-label": ("utt", "score", "label"),  # AMSDF, ASVspoof2021_AIR, Codecfake
    "utt-label-score": ("utt", "label", "score"),
    "utt-score": ("utt", "score"),  # ASVspoof 2021, SSL_Anti-spoofing, SLS
}
KEY_LAYOUTS: Layouts = PROTOCOLS
#: Our name of a column -> the names it goes by in headers, the best first.
ALIASES = {
    "utt": ("utt", "filename", "file", "id", "utterance", "utt_id", "trial", "path"),
    "score": ("score", "cm-score", "cm_score", "sasv-score", "sasv_score"),
    "label": ("label", "cm-label", "cm_label", "key"),
    "speaker": ("speaker", "spk"),
    "attack": ("attack", "attack_type"),
    "trial": ("asv-label", "asv_label"),
}
#: What an attack column says of bona fide trials.
NO_ATTACK = ("-", "bonafide", "bona-fide", "human", "genuine", "a00", "A00")
#: Columns of a file whose trials are pairs of speaker and recording.
TANDEM = {"asv-score", "asv_score", "sasv-score", "sasv_score"}
TRIAL_WORDS = ("target", "nontarget")
_NOT_SINGLE_SPACES = (b"  ", b"\t", b"\r", b"\v", b"\f")
_SAMPLE = 200


@dataclass(frozen=True)
class Text:
    """Lines of a file without blank ones: columns `number` (from 1) and `line`.

    `uneven`: white space other than single spaces parts cells, or might.
    """

    path: Path
    lines: pl.DataFrame
    separator: str
    uneven: bool = True

    def cells(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The same rows with a column `cells`, the list of what the separator parts."""
        line = pl.col("line")
        if self.separator == " ":
            if self.uneven:
                line = line.str.replace_all(r"\s+", " ")
            return lines.with_columns(cells=line.str.split(" "))
        stripped = pl.element().str.strip_chars()
        return lines.with_columns(cells=line.str.split(self.separator).list.eval(stripped))


def read_bytes(path: Path) -> bytes:
    """A file's content, gunzipped, without byte order mark and carriage returns."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not a text file (UTF-8)") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path}: cannot be read: {reason}") from None
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")


def read_text(path: Path, data: bytes) -> Text:
    """Lines of a score or key file, and what separates their cells."""
    lines = pl.Series("line", [data.decode()]).str.split("\n").explode().to_frame()
    lines = lines.with_row_index("number", 1).with_columns(pl.col("line").str.strip_chars(" \t"))
    lines = lines.filter(pl.col("line") != "")
    if not len(lines):
        raise ValueError(f"{path}: is empty")
    first = lines["line"][0]
    commas = "," in first and " " not in first.replace(", ", ",")
    separator = "\t" if "\t" in first else "," if commas else " "
    uneven = not data.isascii() or any(mark in data for mark in _NOT_SINGLE_SPACES)
    return Text(path, lines, separator, uneven)


def read_named(path: Path, data: bytes) -> pl.DataFrame | None:
    """A table with a header that names its id, under our column names; None without a header."""
    first = data.partition(b"\n")[0].decode()
    separator = "\t" if "\t" in first else "," if "," in first else " "
    names = [name.strip().strip('"').lower() for name in first.split(separator)]
    if len(names) < 2 or not _is_header(names):
        return None
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: its header {first!r} names a column twice")
    try:
        table = _read_csv(data, separator)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path}: is not a table with columns {first!r}: {reason}") from None
    return _rename(table.rename(str.strip))


def _is_header(names: Sequence[str]) -> bool:
    """Whether the first line names an id and what is said of it; a trial may be called 'file'."""
    about = {*ALIASES["score"], *ALIASES["label"]} & set(names)
    data = any(is_number(name) or label_of_word(name) is not None for name in names)
    return bool(set(names) & set(ALIASES["utt"])) and (bool(about) or not data)


def _read_csv(data: bytes, separator: str) -> pl.DataFrame:
    """Cells as words, without blank lines; unpaired quotation marks are plain characters."""
    given: dict[str, Any] = {"separator": separator, "infer_schema": False}
    try:
        table = pl.read_csv(io.BytesIO(data), **given)
    except pl.exceptions.PolarsError:
        table = pl.read_csv(io.BytesIO(data), **given, quote_char=None)
    return table.filter(~pl.all_horizontal(pl.all().is_null()))


def _rename(table: pl.DataFrame) -> pl.DataFrame:
    lower = {column.lower(): column for column in table.columns}
    names: dict[str, str] = {}
    for ours, aliases in ALIASES.items():
        found = [lower[alias] for alias in aliases if lower.get(alias) not in (None, *names)]
        usable = [column for column in found if not (table[column] == "-").all() or not len(table)]
        if usable:
            names[usable[0]] = ours
    table = table.rename(names)
    own = list(lower)[:3] == ["utt", "score", "label"]
    tandem = not own and ("trial" in names.values() or TANDEM & set(lower))
    if tandem and "speaker" in table.columns:  # a file is in the trials of several speakers
        table = table.with_columns(pl.concat_str("speaker", "utt", separator=" ").alias("utt"))
    return table


def read_positional(text: Text, layouts: Layouts, layout: str | None = None) -> pl.DataFrame:
    """The table of a file without header, by `layout` or else by the one that fits."""
    if layout is not None and layout not in layouts:
        raise ValueError(
            f"no format named {layout!r}.{nearest(layout, layouts)} Available: {', '.join(layouts)}"
        )
    name = layout or _recognise(text, layouts)
    columns = layouts[name]
    table = text.cells(text.lines).with_columns(width=pl.col("cells").list.len())
    if (table["width"] == len(columns)).all():
        return table.select(_from_right(columns))
    wrong = table.filter(~pl.Series(_spaced(table, columns, sure=layout is not None)))
    if len(wrong):
        raise ValueError(
            f"{text.path}: line {wrong['number'][0]}, {wrong['line'][0][:80]!r}, has "
            f"{wrong['width'][0]} columns; format {name} has {len(columns)}: {' '.join(columns)} "
            "(if ids have spaces, say --format)"
        )
    head = pl.col("line").str.extract(rf"^(.*\S)(?:\s+\S+){{{len(columns) - 1}}}$").alias("utt")
    return table.select(head, *_from_right(columns)[1:])


def _recognise(text: Text, layouts: Layouts) -> str:
    sample = text.cells(text.lines.head(_SAMPLE))["cells"].to_list()
    width = Counter(map(len, sample)).most_common(1)[0][0]
    rows = [row for row in sample if len(row) == width]
    fitting: list[str] = []
    for share in (1.0, 0.51):  # a few wrong cells must not hide the format: they are named later
        if not fitting:
            fitting = [name for name in layouts if _fits(rows, layouts[name]) >= share]
    if not fitting:
        fitting = [name for name in layouts if _fits_spaced(rows, layouts[name])][:1]
    if len(fitting) == 1:
        return fitting[0]
    line = f"line {text.lines['number'][0]}, {text.lines['line'][0][:80]!r},"
    if fitting:
        raise ValueError(f"{text.path}: {line} could be {' or '.join(fitting)}; say --format")
    known = "; ".join(f"{name} ({' '.join(columns)})" for name, columns in layouts.items())
    hint = ""
    if any(cell in TRIAL_WORDS for row in rows for cell in row):
        hint = " (it looks like a file of the speaker verification system)"
    raise ValueError(f"{text.path}: {line} is in no known format{hint}. Known are: {known}")


def _fits(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> float:
    """The share of rows whose cells are what the columns say; 0 for another number of columns."""
    if len(rows[0]) != len(columns):
        return 0.0
    good = 0
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        good += (
            is_number(cells.get("score", "0"))
            and label_of_word(cells.get("label", "1")) is not None
        )
    return good / len(rows)


def _fits_spaced(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> bool:
    """Whether ids with spaces explain the rows; only label words make that safe to guess."""
    if columns[0] != "utt" or "label" not in columns or len(rows[0]) <= len(columns):
        return False
    endings = [row[len(row) - len(columns) :] for row in rows]
    words = [row[columns.index("label")] for row in endings]
    return _fits(endings, columns) == 1 and all(word.isalpha() for word in words)


def _from_right(columns: Sequence[str]) -> list[pl.Expr]:
    return [
        pl.col("cells").list.get(position - len(columns), null_on_oob=True).alias(column)
        for position, column in enumerate(columns)
    ]


def _spaced(table: pl.DataFrame, columns: Sequence[str], sure: bool) -> list[bool]:
    """Which rows have the right width, or one more than that through spaces in their id.

    Two lines torn into one also look like an id with spaces: numbers and label words in the id
    give them away, unless the user named the format.
    """
    possible = columns[0] == "utt" and "score" in columns and (sure or "label" in columns)
    good = []
    for cells in table["cells"].to_list():
        extra = len(cells) - len(columns)
        words = cells[: extra + 1]
        plain = sure or not any("." in word and is_number(word) for word in words)
        plain = plain and (sure or not any(label_of_word(word) is not None for word in words))
        good.append(extra == 0 or (extra > 0 and possible and plain))
    return good


def score_column(path: Path, table: pl.DataFrame) -> pl.Series:
    """Column `score` as float64; pairs of logits '[fake, real]' become real - fake."""
    words = table["score"].str.strip_chars()
    if words.str.starts_with("[").any():
        pair = pl.col("score").str.strip_chars("[] ").str.split(",").list
        fake, real = (
            pair.get(place, null_on_oob=True).str.strip_chars().cast(pl.Float64, strict=False)
            for place in (0, 1)
        )
        two = pl.when(pair.len() == 2).then(real - fake)
        scores = words.to_frame("score").select(two.alias("score")).to_series()
    else:
        scores = words.cast(pl.Float64, strict=False)
    wrong = table.filter(scores.is_null() & words.is_not_null())
    if len(wrong):
        raise ValueError(
            f"{path}: trial {wrong['utt'][0]!r} has score {wrong['score'][0]!r}, "
            f"which is not a number ({len(wrong)} such trials)"
        )
    return scores.alias("score")


def refuse_duplicates(name: str, table: pl.DataFrame) -> None:
    """A ValueError that names the first id that occurs more than once in column `utt`."""
    if table["utt"].n_unique() == len(table):
        return
    repeated = table.filter(pl.col("utt").is_duplicated())["utt"]
    raise ValueError(
        f"{name}: trial {repeated[0]!r} occurs {(repeated == repeated[0]).sum()} times "
        f"({repeated.n_unique()} ids are repeated); ids must be unique"
    )
