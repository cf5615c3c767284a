"""`Verdict`: what a detector says about one recording, as values and in words for lay people."""

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from amsdf.scoring.calibration.points import (
    CANNOT_TELL,
    FAKE,
    REAL,
    Decision,
    DevFigures,
    OperatingPoint,
)

_MOST_SPANS = 3


@dataclass(frozen=True)
class Window:
    """A part of a recording, from `start` to `end` in seconds, with a score of its own."""

    start: float
    end: float
    score: float
    #: That the speech in it is real; None without a calibration.
    probability: float | None = None
    #: Far quieter than the loudest window: it does not count.
    quiet: bool = False


@dataclass(frozen=True)
class Span:
    """A stretch of a recording, from `start` to `end` in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class DetectorFacts:
    """Who gives a verdict: its name, the corpora that it was trained on, how it did on dev."""

    name: str
    trained_on: tuple[str, ...] = ()
    #: Of the clips that its calibration was fitted on; None without one.
    dev: DevFigures | None = None


@dataclass(frozen=True)
class Verdict:
    """What a detector says about one recording.

    Example:
        >>> import amsdf
        >>> verdict = amsdf.load("runs/mine")("call.wav")
        >>> verdict.decision in ("real", "fake", "cannot tell")
        True
        >>> sorted(verdict.to_dict())[:3]
        ['decision', 'detector', 'flagged']
    """

    decision: Decision
    #: Why: one sentence.
    reason: str
    #: Higher means more bona fide (real speech). Only its order has a meaning.
    score: float | None
    #: That the speech is real; None for a detector without a calibration.
    probability: float | None
    #: How long the recording is.
    seconds: float
    windows: tuple[Window, ...]
    #: Where windows on the fake side are, neighbours joined.
    flagged: tuple[Span, ...]
    warnings: tuple[str, ...]
    #: Which probabilities mean real and fake; None without a calibration.
    operating_point: OperatingPoint | None
    detector: DetectorFacts

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        first, *rest = (html.escape(line) for line in self.lines())
        return f"<p><b>{first}</b><br>{'<br>'.join(rest)}</p>"

    def lines(self, verbose: bool = False) -> list[str]:
        """The verdict in words, a line each; `verbose` adds the figures of engineers."""
        found = [f"{headline(self)} {self.reason}"]
        if self.decision != CANNOT_TELL:
            found.append("This is an estimate, not a proof.")
        if self.flagged and len(self.windows) > 1:
            found.append(where_it_sounds_made(self))
        found += [f"Note: {warning.removesuffix('.')}." for warning in self.warnings]
        return [*found, *(figures(self) if verbose else [])]


def headline(verdict: Verdict) -> str:
    """The decision in a few words."""
    return headline_of(verdict.decision, verdict.probability)


def headline_of(decision: Decision, probability: float | None) -> str:
    """A decision in a few words, with the probability that it rests on."""
    if decision == CANNOT_TELL or probability is None:
        return "Cannot tell."
    certain = max(probability, 1 - probability) >= 0.99
    made = "real speech" if decision == REAL else "fake"
    return f"{'Very probably' if certain else 'Probably'} {made}."


def where_it_sounds_made(verdict: Verdict) -> str:
    """What is flagged, as one sentence."""
    if verdict.flagged == (Span(0.0, verdict.seconds),):
        return "All of it sounds machine-made."
    whose = "These parts" if verdict.decision == FAKE else "Some parts, taken alone,"
    return f"{whose} sound machine-made: {places(verdict.flagged)}."


def lowest_of(verdict: Verdict) -> Window:
    """The window that looks most like a fake."""
    return min(verdict.windows, key=lambda window: window.score)


def places(spans: Sequence[Span]) -> str:
    """Where some spans are, the first few of them."""
    shown = [f"{clock(span.start)} to {clock(span.end)}" for span in spans[:_MOST_SPANS]]
    more = len(spans) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def clock(seconds: float) -> str:
    """A time in a recording, as players show it: 0:04.5, 1:02:04.0."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def duration(seconds: float) -> str:
    """How long something lasts: 2.3 s, 5 min 30 s, 1 h 23 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def flag(windows: Sequence[Window], point: OperatingPoint) -> tuple[Span, ...]:
    """Where windows that count are fake when taken alone, in order of time."""
    return join_spans(
        [
            window
            for window in windows
            if window.probability is not None
            and not window.quiet
            and point.decide(window.probability) == FAKE
        ]
    )


def is_long(flagged: Sequence[Span], windows: Sequence[Window]) -> bool:
    """Whether a flagged span is longer than two windows: one alone may be an accident."""
    window = windows[0].end - windows[0].start
    return any(span.end - span.start >= 2 * window for span in flagged)


def join_spans(windows: Sequence[Window]) -> tuple[Span, ...]:
    """Windows in order of time -> the stretches that they cover, those that touch as one."""
    found: list[Span] = []
    for window in windows:
        if found and window.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(Span(window.start, window.end))
    return tuple(found)


def figures(verdict: Verdict) -> list[str]:
    """What engineers want to know, a line each."""
    found = []
    if verdict.score is not None:
        found.append(f"score {verdict.score:.4f}; higher is more bona fide")
    point, dev = verdict.operating_point, verdict.detector.dev
    if point and verdict.probability is not None:
        found.append(
            f"probability {verdict.probability:.4f}; operating point {point.name!r}: fake up to "
            f"{point.fake_below:.4f}, real from {point.real_above:.4f}"
        )
    if len(verdict.windows) > 1:
        lowest = lowest_of(verdict)
        found.append(
            f"{len(verdict.windows)} windows; the lowest score {lowest.score:.4f} is at "
            f"{lowest.start:.1f} s"
        )
    trained = ", ".join(verdict.detector.trained_on) or "corpora that it does not name"
    found.append(f"detector {verdict.detector.name}, trained on {trained}")
    if dev:
        found.append(
            f"calibrated on {', '.join(dev.corpora) or 'dev'}: {dev.num_bonafide} real + "
            f"{dev.num_spoof} fake, EER {100 * dev.eer:.1f} % "
            f"[{100 * dev.eer_low:.1f}, {100 * dev.eer_high:.1f}]"
        )
    return found
