"""Labels of score files: words, and the numbers 0 and 1 where it is known which means bona fide."""

import re
from pathlib import Path

import polars as pl

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.data.manifest import label_of

#: Numbers as labels, as whole numbers and as spreadsheets write them.
NUMBERS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
#: The header of AntiDeepfake, whose scores are pairs of logits; there too 1 is bona fide.
_ANTIDEEPFAKE = re.compile(rb'(?i)id,score,label\n[^\n]*,"\[')


def label_of_word(word: str) -> int | None:
    """1 or 0 for a label word or number, None for what is neither; a number has no meaning yet."""
    return NUMBERS.get(str(word), label_of(word))


def is_number(word: str) -> bool:
    """Whether a word is a number, NaN and infinities included."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def label_column(path: Path, table: pl.DataFrame, bonafide_label: int | None = None) -> pl.Series:
    """Column `label` as 1, 0 or null.

    A word that is not understood is refused; so are numbers, if nobody says which one means bona
    fide.
    """
    words = table["label"]
    known = {word: label_of(word) for word in words.unique().drop_nulls().to_list()}
    if bonafide_label is not None:
        known |= {
            word: BONAFIDE if NUMBERS[word] == bonafide_label else SPOOF
            for word in known
            if word in NUMBERS
        }
    strange = [word for word, label in known.items() if label is None]
    if strange:
        wrong = table.filter(pl.col("label").is_in(strange))
        remedy = "use bonafide or spoof"
        if set(strange) <= set(NUMBERS):
            remedy = (
                "numbers mean different things in different projects; say which one is bona fide, "
                "with --bonafide-label 1 or --bonafide-label 0"
            )
        raise ValueError(
            f"{path}: trial {wrong['utt'][0]!r} has label {wrong['label'][0]!r}, which is not "
            f"understood ({len(wrong)} such trials); {remedy}"
        )
    return words.replace_strict(known, default=None, return_dtype=pl.Int8)


def has_numbers(table: pl.DataFrame) -> bool:
    """Whether a table has numbers as labels."""
    return "label" in table.columns and bool(table["label"].is_in(list(NUMBERS)).any())


def known_bonafide_label(data: bytes, rows: int) -> int | None:
    """The number that means bona fide in a file of so many rows, where its layout tells.

    Every line of the AMSDF authors ends with the label and a space; in their files 1 is bona fide.
    """
    if _ANTIDEEPFAKE.match(data):
        return BONAFIDE
    endings = sum((data + b"\n").count(b" %d \n" % label) for label in (BONAFIDE, SPOOF))
    return BONAFIDE if endings == rows else None
