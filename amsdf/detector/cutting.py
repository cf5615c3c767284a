"""A recording to the parts that a detector listens to, while it comes; numpy is enough for it.

Hours of sound need no more memory than seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


def _windows(
    blocks: Iterable[np.ndarray], clip: Clip, rule: ScoringRule, row: int
) -> Iterator[RecordingPart]:
    """Windows at even distances; the last one ends with the recording."""
    samples, step = clip.samples or 0, step_of(clip, rule)
    held, held_from, start = np.zeros(0, np.float32), 0, 0

    def part(start: int, last: bool) -> RecordingPart:
        sound = held[start - held_from :][:samples]
        fitted = fit(sound, clip, samples)
        return RecordingPart(fitted, start, start + len(sound), _power(sound), last, row)

    for block in blocks:
        held = np.concatenate([held, block])
        while held_from + len(held) > start + samples:  # sound follows, so another window does
            yield part(start, last=False)
            start += step
        behind = max(0, min(start, held_from + len(held) - samples) - held_from)
        held, held_from = held[behind:], held_from + behind
    yield part(max(0, held_from + len(held) - samples), last=True)


def step_of(clip: Clip, rule: ScoringRule) -> int:
    """Samples from one window to the next."""
    return max(1, round((clip.samples or 0) * rule.hop))


def _power(waveform: np.ndarray) -> float:
    return float(np.mean(np.square(waveform, dtype=np.float64))) if len(waveform) else 0.0
