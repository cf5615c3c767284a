"""Fourier transforms of real signals; products with tables while a detector is exported.

What runs an exported detector may have a slow Fourier transform, or none. Products are quick
everywhere. They are in float64, because their rounding in float32 is larger than that of a Fourier
transform: detectors hear it where a recording has nothing else.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

#: Samples of the longer of the two steps of `filtered_by_products`, at most.
_LONGEST_STEP = 2048


def spectrum(frames: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Frames (…, W), zeros behind them up to `size` -> real and imaginary part (…, size // 2 + 1).

    Example:
        >>> real, imaginary = spectrum(torch.ones(1, 4), 4)
        >>> real.tolist(), imaginary.tolist()
        ([[4.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]])
    """
    if torch.compiler.is_exporting():
        return spectrum_by_products(frames, size)
    found = torch.fft.rfft(frames, n=size)
    return found.real, found.imag


def power_spectrum(frames: Tensor, size: int) -> Tensor:
    """Frames (…, W), zeros behind them up to `size` -> (…, size // 2 + 1)."""
    real, imaginary = spectrum(frames, size)
    return real.square() + imaginary.square()


def filtered(waveform: Tensor, gain: Tensor) -> Tensor:
    """Clips (B, S) times a gain (S // 2 + 1,) at each frequency -> (B, S), nothing moved."""
    if torch.compiler.is_exporting():
        if not _is_quick(waveform.shape[1]):
            raise ValueError(
                "clip.band_hz needs a clip.samples that divides into two numbers of a few "
                "hundred each, such as 64000"
            )
        return filtered_by_products(waveform, gain)
    return torch.fft.irfft(torch.fft.rfft(waveform) * gain, waveform.shape[1])


def spectrum_by_products(frames: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """As `spectrum`."""
    cosines, sines = _waves(frames.shape[-1], size // 2 + 1, size)
    exact = frames.double()
    return (exact @ _table(cosines, exact)).to(frames), (exact @ _table(-sines, exact)).to(frames)


def filtered_by_products(waveform: Tensor, gain: Tensor) -> Tensor:
    """As `filtered`: a transform of `rows * columns` samples in two steps, and back.

    The first step is along the rows, the second along the columns (Cooley and Tukey, 1965). Half
    of the rows of frequencies are enough: the others mirror them.
    """
    own, waveform, gain = waveform.dtype, waveform.double(), gain.double()
    samples = waveform.shape[1]
    rows = _divisor(samples)
    columns = samples // rows
    kept = rows // 2 + 1

    first = [_table(each.T, waveform) for each in _waves(rows, kept, rows)]
    turn = [_table(each.T, waveform) for each in _waves(columns, kept, samples)]
    second = [_table(each, waveform) for each in _waves(columns, columns, columns)]
    places = torch.from_numpy(_mirrored(kept, rows, columns))
    counted = np.array([1 if 2 * row in (0, rows) else 2 for row in range(kept)])
    gains = gain[places] * _table(counted / samples, gain)[:, None]

    grid = waveform.unflatten(1, (rows, columns))
    found = first[0] @ grid, -(first[1] @ grid)
    found = _turned(*found, turn[0], -turn[1])
    found = _multiplied(*found, second[0], -second[1])
    found = found[0] * gains, found[1] * gains
    found = _multiplied(*found, second[0], second[1])
    found = _turned(*found, turn[0], turn[1])
    return (first[0].T @ found[0] - first[1].T @ found[1]).flatten(1).to(own)


def _multiplied(
    real: Tensor, imaginary: Tensor, cosines: Tensor, sines: Tensor
) -> tuple[Tensor, Tensor]:
    """The matrix product of two complex tensors."""
    return real @ cosines - imaginary @ sines, real @ sines + imaginary @ cosines


def _turned(
    real: Tensor, imaginary: Tensor, cosines: Tensor, sines: Tensor
) -> tuple[Tensor, Tensor]:
    """The product of two complex tensors, element by element."""
    return real * cosines - imaginary * sines, real * sines + imaginary * cosines


@cache
def _waves(times: int, frequencies: int, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines (times, frequencies) in float64."""
    steps = np.outer(np.arange(times), np.arange(frequencies)) % period
    angles = 2 * math.pi / period * steps
    return np.cos(angles), np.sin(angles)


def _table(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like)


def _is_quick(samples: int) -> bool:
    """Whether the tables for a known number of samples are small."""
    return isinstance(samples, int) and samples // _divisor(samples) <= _LONGEST_STEP


def _divisor(samples: int) -> int:
    """The largest divisor that is not above the root: the two steps are about as long."""
    return next(each for each in range(math.isqrt(samples), 0, -1) if samples % each == 0)


def _mirrored(kept: int, rows: int, columns: int) -> np.ndarray:
    """Which gain belongs to each row and column of frequencies (kept, columns)."""
    frequency = np.arange(kept)[:, None] + rows * np.arange(columns)
    return np.minimum(frequency, rows * columns - frequency)
