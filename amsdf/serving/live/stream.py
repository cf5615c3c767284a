"""`LiveJudge`: sound that comes bit by bit to a verdict that rolls with it.

The windows are those of a recording (`amsdf.detector.inference.cutting`), each scored once, when it
is full. The rolling score pools, by the rule of the detector, the windows of the last seconds in
which speech was heard. Memory does not grow: only those windows and the last seconds of sound are
kept.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from amsdf.audio.speech import hear, reasons_not_to_judge
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.inference.cutting import QUIET, RecordingPart, WindowCutter, step_of
from amsdf.detector.inference.part_batches import batched
from amsdf.detector.inference.scores import ScoredPart, pool_parts, score_parts
from amsdf.scoring.calibration.points import CANNOT_TELL, Decision
from amsdf.scoring.judging.judge import Judge
from amsdf.scoring.judging.verdict import Window, headline_of
from amsdf.serving.live.alarm import Alarm, AlarmEvent

LISTENING = "Listening."
NO_SPEECH = "No speech is heard."
UNLIKE = "Cannot tell: it is unlike what the detector was trained on."
_FORGOTTEN = np.zeros(0, np.float32)
#: Speech is looked for in so many samples, the last ones.
_HEARD = 4 * SAMPLE_RATE


@dataclass(frozen=True)
class LiveSettings:
    """How live sound is judged; times in seconds of sound."""

    #: From one verdict to the next.
    every: float = 0.25
    #: Windows that end within the last so many seconds count.
    span: float = 10.0
    #: From one window to the next; None: as the detector does it with recordings.
    hop: float | None = None
    #: The evidence at which an alarm begins, see `Alarm`; None: there is none.
    alarm: float | None = None

    def __post_init__(self) -> None:
        for name, low in (("every", 0.05), ("span", 1.0), ("hop", 0.05)):
            value = getattr(self, name)
            if value is not None and not low <= value <= 600:
                raise ValueError(f"{name} {value}: give seconds, from {low:g} to 600")
        if self.alarm is not None and not 0.1 <= self.alarm <= 1000:
            raise ValueError(f"alarm at {self.alarm:g}: give an evidence, from 0.1 to 1000")


@dataclass(frozen=True)
class LiveVerdict:
    """What is known after `seconds` of sound; `window` is the newest, if one was scored now."""

    seconds: float
    #: That the speech of the last seconds is real; None where that cannot be told: no speech, not
    #: enough of it yet, unlike the training, no calibration.
    probability: float | None
    score: float | None
    decision: Decision
    headline: str
    #: That it is fake, of the windows that end now: the natural logarithm of how much likelier they
    #: are if it is, 0 without a window. None where `probability` is.
    evidence: float | None = None
    #: Of the evidence that begins an alarm, how much has added up, 0 to 1; None without alarms.
    towards_alarm: float | None = None
    #: Whether there is an alarm, and whether it begins or ends now.
    alarm: bool = False
    event: AlarmEvent | None = None
    window: Window | None = None
    #: Windows that were not scored, since the beginning: the machine was too slow.
    skipped: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Heard:
    """A scored window, and what was heard in it."""

    scored: ScoredPart
    speech: bool
    distance: float


class LiveJudge:
    """Judges sound at 16 kHz while it comes.

    Example:
        >>> import amsdf
        >>> from amsdf.serving.live.stream import LiveJudge
        >>> live = LiveJudge(amsdf.load("runs/mine"))
        >>> verdicts = live.feed(np.zeros(16000, np.float32))
        >>> [verdict.seconds for verdict in verdicts]
        [0.25, 0.5, 0.75, 1.0]
    """

    def __init__(self, judge: Judge, settings: LiveSettings | None = None):
        self.settings = settings or LiveSettings()
        self.judge, clip = judge, judge.detector.experiment.clip
        if clip.samples is None:
            raise ValueError(
                f"detector {judge.name!r} listens to whole utterances; live sound needs one that "
                "listens to clips (clip.samples)"
            )
        if self.settings.alarm is not None and judge.calibration is None:
            raise ValueError(f"detector {judge.name!r} has no calibration, so it has no alarms")
        hop = self.settings.hop
        step = step_of(clip, judge.detector.experiment.score)
        step = step if hop is None else min(clip.samples, round(hop * SAMPLE_RATE))
        self.clip_seconds, self.hop_seconds = clip.samples / SAMPLE_RATE, step / SAMPLE_RATE

        self._cutter = WindowCutter(clip, step)
        self._samples, self._step = 0, round(self.settings.every * SAMPLE_RATE)
        self._waiting, self._last = _FORGOTTEN, _FORGOTTEN
        self._windows: deque[_Heard] = deque()
        limit = self.settings.alarm
        self._alarm = None if limit is None else Alarm(limit)
        self.skipped = 0

    @property
    def seconds(self) -> float:
        """How much sound has been judged."""
        return self._samples / SAMPLE_RATE

    def feed(self, samples: np.ndarray, behind: bool = False) -> list[LiveVerdict]:
        """The next samples (S,), finite -> the verdicts that are due.

        Where more sound waits (`behind`), windows are skipped: they are counted, not scored.
        """
        self._waiting = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        found = []
        while len(self._waiting) >= self._step:
            block, self._waiting = self._waiting[: self._step], self._waiting[self._step :]
            found.append(self._advance(block, behind))
        return found

    def finish(self) -> list[LiveVerdict]:
        """The sound has ended: its last windows, as those of a recording."""
        found = []
        if len(self._waiting):
            found.append(self._advance(self._waiting, False))
            self._waiting = _FORGOTTEN
        rest = self._cutter.rest() if self._samples else None
        return found if rest is None else [*found, self._verdict([rest], 0.0)]

    def _advance(self, block: np.ndarray, behind: bool) -> LiveVerdict:
        self._samples += len(block)
        self._last = np.concatenate([self._last, block])[-_HEARD:]
        parts = list(self._cutter.add(block))
        if behind:
            self.skipped += len(parts)
            parts = []
        return self._verdict(parts, len(block) / SAMPLE_RATE)

    def _verdict(self, parts: list[RecordingPart], seconds: float) -> LiveVerdict:
        """The verdict after `seconds` more, which have completed some windows."""
        speech = not reasons_not_to_judge(hear([self._last]))
        new = [self._heard(scored, speech) for scored in self._scored(parts)]
        self._windows.extend(new)
        while self._windows and self._age(self._windows[0]) >= self.settings.span:
            self._windows.popleft()
        loudest = max((each.scored.part.power for each in self._windows), default=0.0)
        counted = [each for each in self._windows if each.speech and not _quiet(each, loudest)]

        score = None
        if speech and counted:
            score = pool_parts([each.scored for each in counted], self.judge.detector)
        chance, unlike = self._chance(score, [each.distance for each in counted])
        evidence = None
        if chance is not None:
            heard = [each for each in new if each.speech and not _quiet(each, loudest)]
            evidence = self._evidence(heard)
        event = self._alarm.step(evidence, seconds) if self._alarm else None
        decision, headline = self._words(chance, speech, unlike)
        return LiveVerdict(
            seconds=self.seconds,
            probability=chance,
            score=score,
            decision=decision,
            headline=headline,
            evidence=evidence,
            towards_alarm=self._alarm.share if self._alarm else None,
            alarm=self._alarm is not None and self._alarm.on,
            event=event,
            window=self._window(new[-1], loudest) if new else None,
            skipped=self.skipped,
        )

    def _scored(self, parts: list[RecordingPart]) -> Iterator[ScoredPart]:
        judge = self.judge
        for batch in batched(parts, judge.batch_size):
            yield from score_parts(judge.detector, batch, judge.settings)

    def _heard(self, scored: ScoredPart, speech: bool) -> _Heard:
        reference = self.judge.reference
        distance = 0.0 if reference is None else float(reference.distance(scored.embedding))
        counts = speech and isfinite(scored.score)  # that of a silent window may be no number
        return _Heard(replace(scored, embedding=_FORGOTTEN), counts, distance)

    def _age(self, heard: _Heard) -> float:
        """Seconds since the end of a window."""
        return self.seconds - heard.scored.part.end / SAMPLE_RATE

    def _chance(self, score: float | None, distances: list[float]) -> tuple[float | None, bool]:
        """The probability of real speech, if it may be trusted, and whether the sound is unlike
        what the detector was trained on.
        """
        calibration, reference = self.judge.calibration, self.judge.reference
        if score is None or calibration is None:
            return None, False
        if reference is not None and reference.is_beyond(distances):
            return None, True
        return float(calibration.to_probability([score])[0]), False

    def _evidence(self, windows: list[_Heard]) -> float:
        """That the speech of some windows is fake."""
        calibration = self.judge.calibration
        if calibration is None or not windows:
            return 0.0
        return -float(calibration.to_llr([each.scored.score for each in windows]).sum())

    def _words(self, chance: float | None, speech: bool, unlike: bool) -> tuple[Decision, str]:
        """The decision, and it in a few words."""
        calibration = self.judge.calibration
        if chance is not None and calibration is not None:
            decision = calibration.point(self.judge.threshold).decide(chance)
            return decision, headline_of(decision, chance)
        if unlike:
            return CANNOT_TELL, UNLIKE
        if not speech and self.seconds >= self.clip_seconds:
            return CANNOT_TELL, NO_SPEECH
        counts = any(each.speech for each in self._windows)
        return CANNOT_TELL, headline_of(CANNOT_TELL, None) if counts else LISTENING

    def _window(self, heard: _Heard, loudest: float) -> Window | None:
        part, score = heard.scored.part, heard.scored.score
        if not isfinite(score):
            return None
        calibration = self.judge.calibration
        return Window(
            start=part.start / SAMPLE_RATE,
            end=part.end / SAMPLE_RATE,
            score=score,
            probability=float(calibration.to_probability([score])[0]) if calibration else None,
            quiet=not heard.speech or _quiet(heard, loudest),
        )


def _quiet(heard: _Heard, loudest: float) -> bool:
    return heard.scored.part.power < QUIET * loudest
