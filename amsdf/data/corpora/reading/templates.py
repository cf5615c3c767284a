"""Texts with braces: filled from the columns of a table, or matched against paths."""

import re
from collections.abc import Mapping

import polars as pl

from amsdf.audio.files.sources import SUFFIXES

#: `{name}` or `{name:pattern}`; a pattern may say `{4}`: so often.
_BRACE = r"\{([A-Za-z_]\w*)(?::((?:[^{}]|\{[\d,]+\})+))?\}"
_BRACES = re.compile(_BRACE)
_PIECES = re.compile(rf"{_BRACE}|\*\*/|\*\*|\*")


def fill_known(template: str, values: Mapping[str, str]) -> str:
    """The template with those braces replaced whose value is known."""
    return _BRACES.sub(lambda match: values.get(match[1], match[0]), template)


def names_in(template: str) -> list[str]:
    """What stands between the braces."""
    return [match[1] for match in _BRACES.finditer(template)]


def fill(template: str, table: pl.DataFrame) -> pl.Expr:
    """The template as a column, each brace replaced by that column of the table."""
    for name in names_in(template):
        if name not in table.columns:
            raise ValueError(
                f"{template!r} needs a column {name!r}; there are {', '.join(table.columns)}"
            )
    pieces = _BRACES.split(template)  # text, name, pattern, text, name, ...
    texts, names = pieces[::3], pieces[1::3]
    parts = [pl.lit(texts[0])]
    for name, text in zip(names, texts[1:], strict=True):
        parts += [pl.col(name).cast(pl.String), pl.lit(text)]
    return pl.concat_str(parts)


def pattern_of(template: str) -> str:
    """A regular expression, with a group for each brace, that matches paths below a folder.

    A pattern that ends in `*` stands for sound files of any kind.
    """
    result, position = "", 0
    for match in _PIECES.finditer(template):
        result += re.escape(template[position : match.start()]) + _piece(match[0])
        position = match.end()
    result += re.escape(template[position:])
    if template.endswith("*"):
        endings = "|".join(sorted(re.escape(suffix) for suffix in SUFFIXES))
        result += f"(?i:{endings})"
    return f"^{result}$"


def _piece(text: str) -> str:
    if text.startswith("{"):
        name, inner = _BRACES.fullmatch(text).groups()  # type: ignore[union-attr]
        return f"(?P<{name}>{inner or '[^/]+?'})"
    return {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}[text]


def fixed_folder(template: str) -> str:
    """The folders that a pattern begins with, as far as they have one name."""
    first = _PIECES.search(template)
    fixed = template[: first.start()] if first else template
    return fixed.rpartition("/")[0]
