"""A check as a page of text."""

import textwrap
from collections.abc import Iterator, Sequence

import polars as pl

from amsdf.data.audit.findings import Finding, count
from amsdf.data.audit.measures.baseline import Baseline
from amsdf.data.audit.measures.shortcuts import MEASURES
from amsdf.data.audit.shortcut_findings import in_words

_WIDTH = 98
_KEPT = "\N{NO-BREAK SPACE}%"


def count_lines(counts: pl.DataFrame) -> Iterator[str]:
    """How many clips each part has, and where that is known, how many it should have."""
    for rows in counts.partition_by("part", maintain_order=True):
        words = [f"{row['found']:,} {row['kind']}" for row in rows.iter_rows(named=True)]
        published = [f"{number:,}" for number in rows["expected"].drop_nulls()]
        said = f" (published: {' and '.join(published)})" if published else ""
        yield f"  {rows['part'][0]}: {', '.join(words)}{said}"


def baseline_lines(baselines: Sequence[Baseline]) -> Iterator[str]:
    """What listening to nothing gets you."""
    names = [measure.name for measure in MEASURES.values()]
    yield "WHAT LISTENING TO NOTHING GETS YOU"
    for baseline in baselines:
        yield from _wrapped(f"{in_words(baseline)}.", "- ")
    yield from _wrapped(
        "This is the equal error rate of a detector that hears no word and knows only the "
        f"{', '.join(names[:-1])} and {names[-1]} of a clip. 0 % is never wrong, 50 % is guessing; "
        "in brackets, the 95 % interval."
    )


def finding_lines(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Findings under a title; what to do is said once."""
    if findings:
        yield ""
        yield title
    said: set[str] = set()
    for finding in findings:
        advice = (
            "" if finding.advice in said else f". {finding.advice[0].upper()}{finding.advice[1:]}"
        )
        said.add(finding.advice)
        yield from _wrapped(f"{finding.part}: {finding.text}{advice}.", "- ")


def verdict_line(verdict: str, findings: Sequence[Finding]) -> str:
    """The last line."""
    problems = sum(finding.serious for finding in findings)
    notes = count(len(findings) - problems, "note")
    if verdict == "good":
        return "VERDICT: good. No fault was found."
    if verdict == "problems":
        listed = f"{problems}, and {notes}" if len(findings) > problems else f"{problems}"
        return f"VERDICT: problems ({listed}). Mend them before you trust a figure."
    return f"VERDICT: usable, but mind the {notes} above."


def _wrapped(text: str, bullet: str = "") -> list[str]:
    lines = textwrap.wrap(
        text.replace(" %", _KEPT),  # a number and its unit stay on one line
        _WIDTH,
        initial_indent=f"  {bullet}",
        subsequent_indent="  " + " " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_KEPT, " %") for line in lines]
