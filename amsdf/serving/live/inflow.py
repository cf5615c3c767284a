"""Blocks of any rate to one endless mono signal at 16 kHz, without seams."""

import numpy as np
import soxr

from amsdf.audio.files.decoding import RATES, Block
from amsdf.contracts import SAMPLE_RATE


class Inflow:
    """Mixes, resamples and mends what comes; what it mends it counts.

    Example:
        >>> inflow = Inflow()
        >>> len(inflow.add((np.ones((800, 2), np.float32), 16000)))
        800
    """

    def __init__(self) -> None:
        self._rate: int | None = None
        self._resampler: soxr.ResampleStream | None = None
        #: Samples that were NaN or infinite; they are silence now.
        self.not_finite = 0
        #: How often the rate has changed on the way.
        self.changes = 0

    def add(self, block: Block) -> np.ndarray:
        """The next samples (S, channels) and their rate -> (S',) at 16 kHz."""
        samples, rate = block
        if not RATES[0] <= rate <= RATES[1]:
            raise ValueError(f"rate {rate}: give samples a second, from {RATES[0]} to {RATES[1]}")
        with np.errstate(over="ignore", invalid="ignore"):
            mono = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
        bad = ~np.isfinite(mono)
        if bad.any():
            self.not_finite += int(bad.sum())
            mono = np.where(bad, np.float32(0), mono)
        before = self._change(rate) if rate != self._rate else mono[:0]
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(mono)
        return np.concatenate([before, mono])

    def rest(self) -> np.ndarray:
        """What the resampler still holds, at the end."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        return self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _change(self, rate: int) -> np.ndarray:
        """Begin with another rate -> what is left of the sound before."""
        left = self.rest()
        same = rate == SAMPLE_RATE
        self._resampler = None if same else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="HQ")
        self.changes += self._rate is not None
        self._rate = rate
        return left
