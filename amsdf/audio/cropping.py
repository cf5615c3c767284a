"""A recording fitted to the length of a clip: cut, repeated or padded."""

import numpy as np

from amsdf.config import Clip

#: A whole utterance is at least this long (0.1 s), what every encoder is checked down to.
MIN_SAMPLES = 1600


def to_length(waveform: np.ndarray, length: int) -> np.ndarray:
    """(S,) cut at its end, or zeros put behind it -> (length,)."""
    return np.pad(waveform[:length], (0, max(0, length - len(waveform))))


def fit(
    waveform: np.ndarray, clip: Clip, samples: int | None, offset: float | None = None
) -> np.ndarray:
    """(S,) -> (samples,): shorter is repeated or zero-padded, longer is cut.

    `offset` in [0, 1) places a random cut; without it the declared evaluation cut is made. Without
    `samples` the whole utterance is kept and brought to `MIN_SAMPLES` where it is shorter.
    """
    length = len(waveform)
    samples = samples or max(length, MIN_SAMPLES)
    if length < samples:
        if clip.short == "zero":
            return to_length(waveform, samples)
        return np.tile(waveform, -(-samples // length))[:samples]
    room = length - samples
    if offset is not None:
        start = int(offset * (room + 1))
    else:
        start = room // 2 if clip.eval_crop == "centre" else 0
    return waveform[start : start + samples]
