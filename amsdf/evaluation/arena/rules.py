"""What the files of a submission may hold, by the JSON schemas of speech_spoof_bench 0.3.0.

Key names, types and patterns; a key that is not listed is refused, as there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any

#: The name of the metric in that package; it refuses others.
METRIC = "eer_percent"
PATTERNS = {
    "slug": r"[a-z0-9][a-z0-9-]*",
    "dataset": r"[^/\s]+/[^/\s]+",
    "revision": r"[0-9a-f]{7,40}",
    "scores_url": r"https://huggingface\.co/[^/\s]+/[^/\s]+/resolve/[0-9a-f]{7,40}/\S+",
    "url": r"https?://[^\s/]+\S*",
    "https": r"https://[^\s/]+\S*",
    "sha256": r"[0-9a-f]{64}",
    "arxiv": r"\d{4}\.\d{4,5}(v\d+)?|[a-z.-]+/\d{7}(v\d+)?",
    "username": r"[A-Za-z0-9][A-Za-z0-9._-]*",
    "some": r"(?s).*\S.*",
}


@dataclass(frozen=True)
class Value:
    """What one key may hold: `fits` says so, `words` says it to a person."""

    fits: Callable[[Any], bool]
    words: str


def text(pattern: str) -> Value:
    """A string of one of `PATTERNS`, whole."""
    return Value(
        lambda given: isinstance(given, str) and bool(re.fullmatch(PATTERNS[pattern], given)),
        f"text of the form {PATTERNS[pattern]}",
    )


def just(value: Any) -> Value:
    """One value alone."""
    return Value(lambda given: given == value and type(given) is type(value), f"{value!r}")


def _is_date(given: Any) -> bool:
    try:
        return isinstance(given, str) and date.fromisoformat(given).isoformat() == given
    except ValueError:
        return False


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and isfinite(given)


COUNT = Value(lambda given: type(given) is int and given >= 0, "a whole number from 0 on")
RATE = Value(lambda given: _is_number(given) and 0 <= given <= 100, "a number from 0 to 100")
ANY_TEXT = Value(lambda given: isinstance(given, str), "text")
SIZE = Value(lambda given: _is_number(given) and given >= 0, "a number from 0 on")
DATE = Value(_is_date, "a date as 2026-01-31")
#: Key -> what it holds; a key that ends in `?` may be left out.
Rules = Mapping[str, Any]

_PAPER = {"arxiv_id": text("some"), "url": text("url"), "bibtex": text("some")}
_SYSTEM = {
    "name": text("some"),
    "slug": text("slug"),
    "description": ANY_TEXT,
    "code": text("url"),
    "checkpoint": text("url"),
    "paper?": _PAPER,
    "params_millions?": SIZE,
}
_DATASET = {"id": text("dataset"), "revision": text("revision"), "split": text("some")}
_SCORES = {METRIC: RATE, "n_trials": COUNT, "n_skipped": COUNT}
META: Rules = {"system": _SYSTEM, "notes?": ANY_TEXT}
SUBMISSION: Rules = {
    "schema_version": just(4),
    "system": _SYSTEM,
    "dataset": _DATASET,
    "scores": _SCORES,
    "artifact": {
        "scores_url": text("scores_url"),
        "scores_sha256": text("sha256"),
        "bench_version": text("some"),
    },
    "reproduction?": {},
    "submitter": {"hf_username": text("username"), "contact": text("some")},
    "submitted_at": DATE,
    "notes?": ANY_TEXT,
}
#: What is shown beside a badge.
RESULT: Rules = {
    "schema_version": just(1),
    "system": {"name": text("some"), "slug": text("slug"), "paper": {"arxiv_id": text("some")}},
    "dataset": _DATASET,
    "scores": _SCORES,
    "arena": {"url": text("https"), "system_url": text("https")},
    "artifact": {"scores_url": text("scores_url")},
}


def problems(document: Any, rules: Rules, place: str = "") -> list[str]:
    """What in a document breaks its rules, each with the place; empty if nothing does."""
    if not isinstance(document, Mapping):
        return [f"{place or 'the file'}: is not a mapping of keys"]
    known = {key.rstrip("?"): rule for key, rule in rules.items()}
    found = [
        f"{place}{key}: is no key of the Arena; those are {', '.join(known) or 'none'}"
        for key in document
        if key not in known
    ]
    found += [
        f"{place}{key}: is missing" for key in rules if key[-1] != "?" and key not in document
    ]
    for key, rule in known.items():
        if key in document and isinstance(rule, Value) and not rule.fits(document[key]):
            found.append(f"{place}{key}: is {document[key]!r}; it must be {rule.words}")
        elif key in document and not isinstance(rule, Value):
            found += problems(document[key], rule, f"{place}{key}.")
    return found
