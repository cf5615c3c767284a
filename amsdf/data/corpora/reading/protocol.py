"""What the readers share: finding protocol files and turning their rows into a manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from amsdf.conventions import BONAFIDE
from amsdf.data.folders import recordings_below
from amsdf.data.manifest import Manifest, build_manifest


class WrongLayout(ValueError):
    """A folder or a protocol that does not look as the corpus is published."""


def find_path(root: Path, *candidates: str) -> Path:
    """The first of `candidates` below `root` that exists; the error names the first."""
    for candidate in candidates:
        if (root / candidate).exists():
            return (root / candidate).absolute()
    raise WrongLayout(f"{root} has no {candidates[0]}")


def assume_path(root: Path, *candidates: str) -> Path:
    """As `find_path`, but the first of them where none exists: a key needs no audio to be read."""
    found = [root / candidate for candidate in candidates if (root / candidate).exists()]
    return (found[0] if found else root / candidates[0]).absolute()


def read_lines(path: Path) -> pl.Series:
    """The lines of a text file that are not blank."""
    try:
        lines = pl.Series("line", path.read_text(encoding="utf-8-sig").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongLayout(f"{path} is not a readable text file ({error})") from None
    lines = lines.str.strip_chars_end("\r")
    return lines.filter(lines.str.contains(r"\S"))


def read_table(path: Path, has_header: bool = True, skip_rows: int = 0) -> pl.DataFrame:
    """A comma-separated table of words."""
    try:
        return pl.read_csv(path, has_header=has_header, skip_rows=skip_rows, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise WrongLayout(f"{path} is not a table: {str(error).splitlines()[0]}") from None


def read_delimited(
    path: Path,
    separator: str,
    columns: Mapping[str, str] | Sequence[str],
    has_header: bool = True,
    is_quoted: bool = True,
) -> pl.DataFrame:
    """A table of words; without header `columns` are its names in order, `_` is not kept.

    With a header they are the names that must be there (or our name -> the table's, with `?` behind
    ours where it may be absent); without any, all are kept.
    """
    try:
        table = pl.read_csv(
            path,
            has_header=has_header,
            separator=separator,
            quote_char='"' if is_quoted else None,
            infer_schema=False,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise WrongLayout(f"{path} is not a table: {str(error).splitlines()[0]}") from None
    if not has_header:
        if table.width != len(columns):
            wanted = f"{len(columns)} ({' '.join(columns)})"
            raise WrongLayout(f"{path} has {table.width} columns, not {wanted}")
        theirs = zip(columns, table.columns, strict=True)
        return table.select(pl.col(old).alias(new) for new, old in theirs if new != "_")
    given = columns if isinstance(columns, Mapping) else {name: name for name in columns}
    absent = {ours for ours, name in given.items() if name not in table.columns}
    for name in sorted(given[ours] for ours in absent if not ours.endswith("?")):
        raise WrongLayout(f"{path} has no column {name!r}; it has {', '.join(table.columns)}")
    names = {ours.removesuffix("?"): name for ours, name in given.items() if ours not in absent}
    return table.select(pl.col(old).alias(new) for new, old in names.items()) if names else table


def read_fields(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> pl.DataFrame:
    """A protocol without header, its fields separated by blanks, as named columns.

    Args:
        path: The protocol.
        columns: Names in order; `_` is not kept, and a last one with `...` takes the rest.
        optional: Further names; where the fields are absent they read `-`.
    """
    names = [*columns, *optional]
    table = read_lines(path).to_frame().select(fields=pl.col("line").str.extract_all(r"\S+"))
    count = pl.col("fields").list.len()
    if names[-1].endswith("..."):
        first = pl.col("fields").list.head(len(names) - 1)
        rest = pl.col("fields").list.slice(len(names) - 1).list.join(" ")
        table = table.select(fields=first.list.concat(rest))
        names[-1] = names[-1].removesuffix("...")
    wrong = table.filter(~count.is_between(len(columns), len(names)))
    if len(wrong):
        row = wrong["fields"][0].to_list()
        raise WrongLayout(
            f"{path}: {' '.join(row)[:80]!r} has {len(row)} columns, "
            f"not {len(columns)} ({' '.join(columns)})"
        )
    return table.select(
        pl.col("fields").list.get(index, null_on_oob=True).fill_null("-").alias(name)
        for index, name in enumerate(names)
        if name != "_"
    )


def with_paths(table: pl.DataFrame, folder: Path, suffix: str) -> pl.DataFrame:
    """Column `path`: `utt` with `suffix` in `folder`."""
    return table.with_columns(path=pl.format("{}/{}{}", pl.lit(str(folder)), "utt", pl.lit(suffix)))


def list_recordings(folder: Path, root: Path, label: str) -> pl.DataFrame:
    """All sound files below `folder`, their path from `root` as id: base names repeat."""
    files = [file.absolute() for file in recordings_below(folder)]
    rows = [(file.relative_to(root).as_posix(), str(file), label) for file in files]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("utt", "path", "label"), pl.String), orient="row"
    )


def corpus_manifest(name: str, split: str, tables: Sequence[pl.DataFrame]) -> Manifest:
    """Rows with `utt`, `path`, label words and any others; a bona fide row has attack `-`."""
    table = pl.concat(tables, how="diagonal")
    if "split" not in table.columns:
        table = table.with_columns(split=pl.lit(split))
    rows = build_manifest(name, table).table
    if "attack" in rows.columns:
        none = pl.when(pl.col("label") == BONAFIDE).then(pl.lit("-"))
        rows = rows.with_columns(attack=none.otherwise(pl.col("attack")))
    return Manifest(f"{name}/{split}", rows)
