"""Findings in pairs of clips that are the same sound: within a part, and between parts."""

from typing import NamedTuple

import polars as pl

from amsdf.data.audit.findings import Finding, about, count, some_of
from amsdf.data.audit.measures.same_sound import SURELY

_DROP_ONE = "drop one of the two"
_CORRECT = "one of the labels is wrong: correct it, or drop both"
LEAK = (
    "what a detector was trained on must not be in its test, or the figure is too good: drop it "
    "from one of the two"
)


class _Copies(NamedTuple):
    kind: str
    where: pl.Expr
    what: str
    advice: str
    serious: bool


_OTHER_LABEL = pl.col("label").ne_missing(pl.col("first_label"))
_EXACT, _SURE = pl.col("likeness") == 1, pl.col("likeness") >= SURELY
_NEARLY = "nearly the same sound (level, cut or codec differ)"
INSIDE = (
    _Copies(
        "contradiction",
        _OTHER_LABEL & _EXACT,
        "have the same sound as another with the other label",
        _CORRECT,
        True,
    ),
    _Copies(
        "near-contradiction",
        _OTHER_LABEL & _SURE & ~_EXACT,
        f"have {_NEARLY} as another with the other label",
        _CORRECT,
        True,
    ),
    _Copies(
        "near-copy",
        _OTHER_LABEL & ~_SURE,
        "differ little from another with the other label (a fake made by a codec?)",
        "is the label right? Report them as a group of their own",
        False,
    ),
    _Copies(
        "duplicate",
        ~_OTHER_LABEL & _EXACT,
        "have the same sound as another",
        _DROP_ONE,
        False,
    ),
    _Copies(
        "near-duplicate",
        ~_OTHER_LABEL & ~_EXACT,
        f"have {_NEARLY} as another",
        _DROP_ONE,
        False,
    ),
)


def find_copies(pairs: pl.DataFrame) -> list[Finding]:
    """Findings among the pairs of `find_same`."""
    alone = pl.col("part") == pl.col("first_part")
    inside = pairs.filter(alone).partition_by("part", maintain_order=True)
    found = [_inside(rows, copies) for copies in INSIDE for rows in inside]
    between = pairs.filter(~alone).partition_by("first_part", "part", maintain_order=True)
    found += [_between(rows, exact) for exact in (True, False) for rows in between]
    return [finding for finding in found if finding]


def _shown(rows: pl.DataFrame) -> str:
    return some_of([f"{row['utt']!r} = {row['first']!r}" for row in rows.iter_rows(named=True)])


def _inside(rows: pl.DataFrame, copies: _Copies) -> Finding | None:
    chosen = rows.filter(copies.where).unique("utt", keep="first", maintain_order=True)
    if not len(chosen):
        return None
    text = f"{about(len(chosen), copies.what)}: {_shown(chosen)}"
    utts = tuple(chosen["utt"])
    return Finding(rows["part"][0], copies.kind, text, copies.advice, copies.serious, utts)


def _between(rows: pl.DataFrame, exact: bool) -> Finding | None:
    chosen = rows.filter(_EXACT if exact else ~_EXACT)
    chosen = chosen.unique("utt", keep="first", maintain_order=True)
    if not len(chosen):
        return None
    first, part = rows["first_part"][0], rows["part"][0]
    nearly = "" if exact else " nearly (level, cut or codec differ)"
    text = f"shares {count(len(chosen), 'recording')}{nearly} with {first}: {_shown(chosen)}"
    kind = "shared-sound" if exact else "nearly-shared-sound"
    return Finding(part, kind, text, LEAK, utts=tuple(chosen["utt"]))
