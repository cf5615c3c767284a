"""A recording to the parts that a detector listens to, and their scores to one.

Which parts there are is in the experiment: `clip` and `score`. Blocks of sound become parts while
they come, so that hours of sound need no more memory than seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from amsdf.audio.cropping import MIN_SAMPLES, fit
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
    views: Mapping[str, Tensor] | None = None


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
        start = _first_sample(len(waveform), clip)
        return waveform[start : None if clip.samples is None else start + clip.samples], start

    kept = np.zeros(0, np.float32)
    for block in blocks:
        if len(kept) < clip.samples:
            kept = np.concatenate([kept, block[: clip.samples - len(kept)]])
    return kept, 0


def _first_sample(length: int, clip: Clip) -> int:
    """Where the one part of a recording begins."""
    centred = clip.samples is not None and clip.eval_crop == "centre"
    return max(0, length - (clip.samples or 0)) // 2 if centred else 0


def _windows(
    blocks: Iterable[np.ndarray], clip: Clip, rule: ScoringRule, row: int
) -> Iterator[RecordingPart]:
    """Windows at even distances; the last one ends with the recording."""
    samples, step = clip.samples or 0, _step(clip, rule)
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


def _step(clip: Clip, rule: ScoringRule) -> int:
    return max(1, round((clip.samples or 0) * rule.hop))


def _power(waveform: np.ndarray) -> float:
    return float(np.mean(np.square(waveform, dtype=np.float64))) if len(waveform) else 0.0


def part_starts(length: int, experiment: Experiment) -> list[int]:
    """The first samples of the parts of a recording of `length` samples."""
    clip, rule = experiment.clip, experiment.score
    if clip.samples is None or rule.parts == "first":
        return [_first_sample(length, clip)]
    last = max(0, length - clip.samples)
    return [*range(0, last, _step(clip, rule)), last]


def parts_of(waveform: Tensor, experiment: Experiment) -> tuple[Tensor, Tensor]:
    """`cut` for a whole waveform (S,) that may keep a graph -> parts (W, S'), their power (W,)."""
    clip = experiment.clip
    samples = clip.samples or max(len(waveform), MIN_SAMPLES)
    starts = part_starts(len(waveform), experiment)
    sounds = [waveform[start : start + samples] for start in starts]
    power = torch.stack([sound.detach().double().square().mean() for sound in sounds])
    missing = samples - len(waveform)
    if missing > 0:
        waveform = (
            F.pad(waveform, (0, missing))
            if clip.short == "zero"
            else waveform.repeat(-(-samples // len(waveform)))[:samples]
        )
    return torch.stack([waveform[start : start + samples] for start in starts]), power


def pool(scores: Tensor, power: Tensor, rule: ScoringRule) -> Tensor:
    """Scores (W,) of parts with their power (W,) -> the score () of the recording."""
    counted = scores[~is_quiet(power)]
    return counted.mean() if rule.pool == "mean" else counted.quantile(rule.quantile)


def is_quiet(power: Tensor) -> Tensor:
    """(W,) -> whether each part is so much quieter than the loudest that it does not count."""
    return power < QUIET * power.max()


def describe_rule(experiment: Experiment) -> str:
    """What is listened to and how it becomes a score, in words: scores of two rules differ."""
    clip, rule = experiment.clip, experiment.score
    if clip.samples is None:
        return "whole utterances"
    heard = f"{clip.samples} samples, short: {clip.short}"
    if clip.band_hz:
        heard += f", {clip.band_hz[0]:g} to {clip.band_hz[1]:g} Hz"
    if clip.level_db is not None:
        heard += f", {clip.level_db:g} dB"
    if rule.parts == "first":
        return f"{heard}, crop: {clip.eval_crop}"
    pooled = rule.pool if rule.pool == "mean" else f"quantile {rule.quantile:g}"
    return f"windows of {heard}, hop: {rule.hop:g}, pool: {pooled}"
