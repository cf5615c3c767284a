"""Colours for a person at a terminal; none for files, pipes, `NO_COLOR` and dumb terminals."""

import os
import sys

from amsdf.scoring.calibration.points import FAKE, REAL

_CODES: dict[str, str] = {REAL: "32", FAKE: "31"}
#: Of what cannot be told.
_UNDECIDED = "33"


def painted(words: str, decision: str) -> str:
    """Words of a verdict, bold and in the colour of its decision."""
    if not _wanted():
        return words
    return f"\033[1;{_CODES.get(decision, _UNDECIDED)}m{words}\033[0m"


def _wanted() -> bool:
    environment = os.environ
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()
