"""Resampling to 16 kHz in numpy, near enough to `soxr` that scores stay the same."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from amsdf.conventions import SAMPLE_RATE

#: The low-pass that `soxr` makes at quality HQ, as a Kaiser window: where it has lost half, how
#: wide its slope is (both as shares of the lower of the two highest frequencies), its depth in dB.
_EDGE, _SLOPE, _DEPTH = 0.956872, 0.084820, 124.229


def resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """(S,) at `rate` -> (S',) at 16 kHz: each output is a weighted sum of the inputs around it.

    Outputs that lie equally between two inputs have equal weights and are made together.
    """
    if rate == SAMPLE_RATE:
        return samples
    common = math.gcd(rate, SAMPLE_RATE)
    up, down = SAMPLE_RATE // common, rate // common
    half = _half_width(rate)
    made = np.zeros((2 * len(samples) * up + down) // (2 * down), np.float32)

    padded = np.pad(samples, (half, half + down))
    around = sliding_window_view(padded, 2 * half)
    for first in range(min(up, len(made))):
        place, between = divmod(first * down, up)
        outputs = made[first::up]
        outputs[:] = around[place + 1 :: down][: len(outputs)] @ _weights(rate, between / up)
    return made


def _half_width(rate: int) -> int:
    """Inputs on each side of an output that have a weight."""
    slope = _SLOPE * min(rate, SAMPLE_RATE) / 2 / rate
    return math.ceil((_DEPTH - 7.95) / (2.285 * 2 * math.pi * slope) / 2)


def _weights(rate: int, between: float) -> NDArray[np.float32]:
    """For an output that lies a share `between` behind an input."""
    half, edge = _half_width(rate), _EDGE * min(rate, SAMPLE_RATE) / 2 / rate
    times = np.arange(1 - half, half + 1) - between
    steepness = 0.1102 * (_DEPTH - 8.7)
    inside = np.sqrt(np.clip(1 - np.square(times / half), 0, None))
    window = np.i0(steepness * inside) / np.i0(steepness)
    return (2 * edge * np.sinc(2 * edge * times) * window).astype(np.float32)
