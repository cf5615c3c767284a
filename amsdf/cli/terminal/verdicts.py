"""What a person reads of a recording that is judged."""

from collections.abc import Mapping
from typing import Any

from amsdf.audio import AudioError
from amsdf.cli.terminal.colours import painted
from amsdf.scoring.judging.verdict import Verdict, headline, lowest_of


def lines_of(
    row: Mapping[str, Any], verdict: Verdict | AudioError, several: bool, verbose: bool
) -> list[str]:
    """The text on one recording; of several, one line each, unless it is to be verbose."""
    if isinstance(verdict, AudioError):
        return [f"{row['utt']}: {verdict.reason}"]
    first, *rest = verdict.lines(verbose=verbose)
    decided = headline(verdict)
    first = painted(decided, verdict.decision) + first.removeprefix(decided)
    if verdict.probability is None and verdict.score is not None:
        first += f" Score {verdict.score:.4f}."
    if several and not verbose:
        notes = len(verdict.warnings)
        first += f" ({notes} note{'s' * (notes > 1)}: --verbose)" if notes else ""
        rest = []
    return [f"{row['utt']}: {first}", *(f"  {line}" for line in [*rest, *_evidence(row, verdict)])]


def _evidence(row: Mapping[str, Any], verdict: Verdict) -> list[str]:
    if not row.get("evidence"):
        return []
    lowest = lowest_of(verdict)
    head = f"what moves the score from {lowest.start:.1f} to {lowest.end:.1f} s:"
    return [head, *(f"  {evidence}" for evidence in row["evidence"])]
