"""What requests and answers look like, for `/openapi.json`."""

from typing import Any

from pydantic import BaseModel

from amsdf.scoring.calibration.points import Decision, DevFigures, OperatingPoint
from amsdf.scoring.judging.explain import Evidence
from amsdf.scoring.judging.verdict import DetectorFacts, Span, Window
from amsdf.serving.http.recordings.multipart import FIELD


class Answer(BaseModel):
    """A verdict, and its words."""

    decision: Decision
    reason: str
    score: float | None
    probability: float | None
    seconds: float
    windows: list[Window]
    flagged: list[Span]
    warnings: list[str]
    operating_point: OperatingPoint | None
    detector: DetectorFacts
    headline: str
    lines: list[str]
    #: Only with `explain`: what moves the score of the window `explained`, and how much.
    evidence: list[Evidence] | None = None
    explained: Window | None = None


class DetectorAnswer(BaseModel):
    """What is known of a detector."""

    name: str
    trained_on: list[str]
    dev: DevFigures | None
    operating_point: OperatingPoint | None
    clip_seconds: float | None
    views: dict[str, str]
    default: bool
    description: str


class ErrorFacts(BaseModel):
    """A word for programs, a line for people."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """The one shape of an error."""

    error: ErrorFacts


_VERDICT = {
    "decision": "fake",
    "reason": "The chance that the speech is machine-made is 92 in 100.",
    "score": -1.989,
    "probability": 0.076,
    "seconds": 4.08,
    "windows": [
        {"start": 0.0, "end": 4.0, "score": -1.989, "probability": 0.076, "quiet": False},
        {"start": 0.08, "end": 4.08, "score": -1.97, "probability": 0.077, "quiet": False},
    ],
    "flagged": [{"start": 0.0, "end": 4.08}],
    "warnings": [],
    "operating_point": {"name": "best guess", "fake_below": 0.234, "real_above": 0.57},
    "detector": {"name": "starter", "trained_on": ["diffwave", "tortoise"], "dev": None},
    "headline": "Probably fake.",
    "lines": [
        "Probably fake. The chance that the speech is machine-made is 92 in 100.",
        "This is an estimate, not a proof.",
        "All of it sounds machine-made.",
    ],
}
_BINARY = {"type": "string", "format": "binary"}
#: The body of `/v1/judge`.
JUDGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A recording: sound or film of any common format.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {FIELD: _BINARY}, "required": [FIELD]}
            },
            "application/octet-stream": {"schema": _BINARY},
            "audio/*": {"schema": _BINARY},
            "video/*": {"schema": _BINARY},
        },
    }
}
_REFUSALS = {
    400: ("bad_form", "this is no multipart/form-data: it breaks off"),
    401: ("unauthorized", "send the header Authorization: Bearer and the token"),
    403: ("cross_site", "pages of other sites may not ask this service"),
    404: ("unknown_detector", "no such detector; there are: starter"),
    408: ("too_slow", "the upload took too long"),
    413: ("too_large", "recordings up to 100 MB are judged here"),
    415: ("wrong_content_type", "send the recording without content-encoding"),
    422: ("unusable_recording", "the recording is digital silence; there is nothing to judge"),
    429: ("too_many_uploads", "too many uploads are under way; try again soon"),
    503: ("busy", "too many recordings wait already; try again soon"),
}


def _shown(example: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": example}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse, each with an example."""
    return {
        status: {
            "model": ErrorAnswer,
            **_shown({"error": dict(zip(("code", "message"), _REFUSALS[status], strict=True))}),
        }
        for status in statuses
    }


#: The answers of `/v1/judge`.
JUDGE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, **_shown(_VERDICT)},
    **refusals(*_REFUSALS),
}
