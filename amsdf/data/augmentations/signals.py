"""Small operations on waveforms that several augmentations share."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from amsdf.contracts import SAMPLE_RATE


class Draws(Protocol):
    """Where random numbers come from: `numpy.random.Generator`, or the legacy `RandomState`."""

    def random(self, size: Any = None) -> Any:
        """Uniform in [0, 1)."""

    def standard_normal(self, size: Any = None) -> Any:
        """Normal, mean 0, variance 1."""

    def permutation(self, x: Any) -> Any:
        """The numbers 0 … x - 1, shuffled."""


def draw(bounds: Sequence[float], draws: Draws) -> float:
    """A number between the two bounds, in whichever order, all equally likely."""
    return bounds[0] + (bounds[1] - bounds[0]) * draws.random()


def rms(waveform: np.ndarray) -> float:
    """Root of the mean square of (S,)."""
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def add_at_snr(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """The sum of (S,) and (S,), the noise scaled to `snr_db` below the waveform."""
    return waveform + noise * (rms(waveform) / rms(noise) * 10 ** (-snr_db / 20))


def shape_spectrum(
    waveform: np.ndarray, response: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """(S,) -> (S,), each frequency multiplied by `response(frequencies in Hz)`, without delay."""
    padded = next_fast_len(len(waveform) + SAMPLE_RATE // 10, real=True)
    spectrum = rfft(waveform, padded)
    spectrum *= response(rfftfreq(padded, 1 / SAMPLE_RATE))
    return irfft(spectrum, padded)[: len(waveform)]
