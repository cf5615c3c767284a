"""Changes of loudness and bandwidth: gain, clipping, narrow bands."""

from collections.abc import Sequence

import numpy as np

from amsdf.audio.cropping import to_length
from amsdf.audio.files.reading import resample
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations.contract import Augmentation, check_range
from amsdf.data.augmentations.signals import draw, shape_spectrum


class Gain(Augmentation):
    """Another loudness.

    Args:
        gain_db: [from, to] in decibels.
        p: Share of the recordings that are changed.
    """

    def __init__(self, gain_db: tuple[float, float] = (-12, 12), p: float = 1.0):
        super().__init__(p)
        self.gain_db = check_range("gain_db", gain_db, -120, 120)
        if not any(self.gain_db):
            raise ValueError("gain_db = [0, 0] changes nothing; give a range such as [-12, 12]")

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        return waveform * 10 ** (draw(self.gain_db, rng) / 20)


class Clipping(Augmentation):
    """Overdriven recording: the loudest samples are cut off at one level.

    Args:
        share: [from, to] of the samples that are cut off.
        p: Share of the recordings that are changed.
    """

    def __init__(self, share: tuple[float, float] = (0.001, 0.05), p: float = 1.0):
        super().__init__(p)
        self.share = check_range("share", share, 0, 0.9)
        if not self.share[1]:
            raise ValueError("share = [0, 0] changes nothing; give a range such as [0.001, 0.05]")

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        level = np.quantile(np.abs(waveform), 1 - draw(self.share, rng))
        return np.clip(waveform, -level, level)


class BandLimit(Augmentation):
    """The band of a telephone line or of an old recording; nothing is moved in time.

    Args:
        rates: Sample rates in Hz; the recording goes to one of them and back. May be empty.
        band_hz: [lowest, highest] frequency that passes, with slopes of 24 dB an octave; null: all.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        rates: Sequence[int] = (8000,),
        band_hz: tuple[float, float] | None = (300, 3400),
        p: float = 1.0,
    ):
        super().__init__(p)
        for rate in rates:
            if not 1000 <= rate < SAMPLE_RATE:
                raise ValueError(f"rate {rate} must be between 1000 and {SAMPLE_RATE} Hz")
        if not rates and band_hz is None:
            raise ValueError("rates is empty and band_hz is null; give one of them")
        self.rates = tuple(rates)
        self.band_hz = (
            None if band_hz is None else check_range("band_hz", band_hz, 1, SAMPLE_RATE / 2)
        )

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        if self.rates:
            rate = self.rates[rng.integers(len(self.rates))]
            narrow = resample(resample(waveform, SAMPLE_RATE, rate), rate, SAMPLE_RATE)
            waveform = to_length(narrow, len(waveform))
        if self.band_hz is not None:
            waveform = shape_spectrum(waveform, self._response)
        return waveform

    def _response(self, frequencies: np.ndarray) -> np.ndarray:
        assert self.band_hz is not None
        low, high = self.band_hz
        above_low = 1 / (1 + (low / np.maximum(frequencies, 1e-3)) ** 4)
        return above_low / (1 + (frequencies / high) ** 4)
