"""Verdicts on many recordings as JSON, JSON lines or CSV: a record each, errors included."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from amsdf.audio import AudioError
from amsdf.files import write_text
from amsdf.scoring.calibration.points import CANNOT_TELL, FAKE, REAL
from amsdf.scoring.judging.verdict import Span, Verdict

#: A row of a manifest, which may hold `evidence`, and its verdict or why there is none.
Judged = tuple[Mapping[str, Any], Verdict | AudioError]
VERDICT_SUFFIXES = (".json", ".jsonl", ".csv")
COLUMNS = (
    *("path", "score", "probability", "decision", "reason", "seconds", "windows", "flagged"),
    *("warnings", "error"),
)


def record_of(judged: Judged) -> dict[str, Any]:
    """The path of a recording and its verdict, or its error, as plain values."""
    row, verdict = judged
    place = {key: row[key] for key in ("path", "start", "end") if row.get(key) is not None}
    if "evidence" in row:
        place["evidence"] = [asdict(evidence) for evidence in row["evidence"]]
    if isinstance(verdict, Verdict):
        return {**place, **verdict.to_dict(), "error": None}
    return {**place, "decision": None, "error": str(verdict)}


def json_text(judged: Sequence[Judged], several: bool) -> str:
    """One object for one recording, an array for several."""
    records = [record_of(each) for each in judged]
    return json.dumps(records if several else records[0], ensure_ascii=False, indent=1) + "\n"


def json_line(judged: Judged) -> str:
    """An object on one line."""
    return json.dumps(record_of(judged), ensure_ascii=False)


def csv_text(judged: Sequence[Judged]) -> str:
    """A row each, with the number of windows and where they are flagged."""
    rows = [_csv_row(*each) for each in judged]
    kinds = dict.fromkeys(COLUMNS, pl.String) | {
        **dict.fromkeys(("score", "probability", "seconds"), pl.Float64),
        "windows": pl.Int64,
    }
    return pl.DataFrame(rows, schema=kinds).write_csv()


def write_verdicts(out: Path, judged: Sequence[Judged]) -> None:
    """Write a file of verdicts in the format that its suffix says."""
    lines = "".join(f"{json_line(each)}\n" for each in judged)
    texts = {".json": json_text(judged, several=True), ".jsonl": lines, ".csv": csv_text(judged)}
    write_text(out, texts[out.suffix])


def scores_of(judged: Sequence[Judged]) -> dict[str, float]:
    """The scores of the recordings that have one, by id."""
    return {
        row["utt"]: verdict.score
        for row, verdict in judged
        if isinstance(verdict, Verdict) and verdict.score is not None
    }


def _csv_row(row: Mapping[str, Any], verdict: Verdict | AudioError) -> dict[str, Any]:
    if not isinstance(verdict, Verdict):
        return {"path": row["path"], "error": str(verdict)}
    return {
        "path": row["path"],
        **{key: getattr(verdict, key) for key in COLUMNS[1:6]},
        "windows": len(verdict.windows),
        "flagged": " ".join(map(_span, verdict.flagged)),
        "warnings": "; ".join(verdict.warnings),
    }


def _span(span: Span) -> str:
    return f"{span.start:.2f}-{span.end:.2f}"


def summary_of(judged: Sequence[Judged]) -> str:
    """How many recordings are real, fake, neither, or could not be judged."""
    found = Counter(
        verdict.decision if isinstance(verdict, Verdict) else "failed" for _, verdict in judged
    )
    counts = ", ".join(f"{found[kind]} {kind}" for kind in (REAL, FAKE, CANNOT_TELL, "failed"))
    return f"{len(judged)} recordings: {counts}"
