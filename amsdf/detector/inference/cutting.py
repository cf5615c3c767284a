"""A recording to the parts that a detector listens to, while it comes; numpy is enough for it.

Hours of sound need no more memory than seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from amsdf.audio.cropping import fit
from amsdf.config import Clip, Experiment, ScoringRule

#: A window with less than this share of the power of the loudest one (40 dB below it) holds no
#: speech and does not count.
QUIET = 1e-4


@dataclass(frozen=True)
class RecordingPart:
    """What is listened to at once: samples `start` to `end` of recording `row`, fitted to a clip.

    `power` is the mean square of the samples (S,); `last` says that no other part follows. `views`
    are what frozen encoders give of it, (N, D) or (L, N, D), where that is known.
    """

    waveform: np.ndarray
    start: int
    end: int
    power: float
    last: bool = True
    row: int = 0
    views: Mapping[str, Any] | None = None


def cut(
    blocks: Iterable[np.ndarray], experiment: Experiment, row: int = 0
) -> Iterator[RecordingPart]:
    """Blocks (S,) of a recording -> its parts, in order of time."""
    clip, rule = experiment.clip, experiment.score
    if clip.samples is not None and rule.parts == "windows":
        yield from _windows(blocks, clip, rule, row)
        return

    sound, start = _only_part(blocks, clip)
    fitted = fit(sound, clip, clip.samples)
    yield RecordingPart(fitted, start, start + len(sound), _power(sound), row=row)


def _only_part(blocks: Iterable[np.ndarray], clip: Clip) -> tuple[np.ndarray, int]:
    """What the one part is made of, and where it begins; all blocks are read to the end."""
    if clip.samples is None or clip.eval_crop != "start":
        waveform = np.concatenate([np.zeros(0, np.float32), *blocks])
        start = first_sample(len(waveform), clip)
        return waveform[start : None if clip.samples is None else start + clip.samples], start

    kept = np.zeros(0, np.float32)
    for block in blocks:
        if len(kept) < clip.samples:
            kept = np.concatenate([kept, block[: clip.samples - len(kept)]])
    return kept, 0


def first_sample(length: int, clip: Clip) -> int:
    """Where the one part of a recording begins."""
    centred = clip.samples is not None and clip.eval_crop == "centre"
    return max(0, length - (clip.samples or 0)) // 2 if centred else 0


class WindowCutter:
    """Cuts windows at even distances out of sound that comes in blocks.

    It keeps no more of the sound than one window and what has just come.

    Example:
        >>> cutter = WindowCutter(Clip(samples=4000), step=2000)
        >>> [part.start for part in cutter.add(np.ones(9000, np.float32))]
        [0, 2000, 4000]
        >>> last = cutter.rest()
        >>> last.start, last.end
        (5000, 9000)
    """

    def __init__(self, clip: Clip, step: int, row: int = 0):
        if clip.samples is None:
            raise ValueError("whole utterances have no windows")
        self._clip, self._samples, self._step, self._row = clip, clip.samples, step, row
        self._held, self._held_from, self._start = np.zeros(0, np.float32), 0, 0

    def add(self, block: np.ndarray) -> Iterator[RecordingPart]:
        """The windows that the next samples (S,) complete; none of them is called the last."""
        self._held = np.concatenate([self._held, block])
        while self._start + self._samples <= self._end:
            yield self._part(self._start)
            self._start += self._step
        behind = max(0, min(self._start, self._end - self._samples) - self._held_from)
        self._held, self._held_from = self._held[behind:], self._held_from + behind

    def rest(self) -> RecordingPart | None:
        """The window that ends with the sound, which may be shorter; None where it was cut."""
        if self._start and self._start - self._step + self._samples == self._end:
            return None
        return self._part(max(0, self._end - self._samples))

    @property
    def _end(self) -> int:
        return self._held_from + len(self._held)

    def _part(self, start: int) -> RecordingPart:
        sound = self._held[start - self._held_from :][: self._samples]
        fitted = fit(sound, self._clip, self._samples)
        return RecordingPart(fitted, start, start + len(sound), _power(sound), False, self._row)


def _windows(
    blocks: Iterable[np.ndarray], clip: Clip, rule: ScoringRule, row: int
) -> Iterator[RecordingPart]:
    """Windows at even distances; the last one ends with the recording."""
    cutter = WindowCutter(clip, step_of(clip, rule), row)
    waiting: list[RecordingPart] = []
    for block in blocks:
        for part in cutter.add(block):
            yield from waiting  # one follows, so it was not the last
            waiting = [part]

    rest = cutter.rest()
    if rest is not None:
        yield from waiting
        waiting = [rest]
    yield replace(waiting[0], last=True)


def step_of(clip: Clip, rule: ScoringRule) -> int:
    """Samples from one window to the next."""
    return max(1, round((clip.samples or 0) * rule.hop))


def _power(waveform: np.ndarray) -> float:
    return float(np.mean(np.square(waveform, dtype=np.float64))) if len(waveform) else 0.0
