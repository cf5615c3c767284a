"""Changes in time and frequency: speed, masks, silence."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import soxr
from scipy.ndimage import binary_dilation

from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations.contract import Augmentation, check_range
from amsdf.data.augmentations.signals import draw, shape_spectrum

#: Loudness is looked at in pieces of 10 ms.
FRAME = SAMPLE_RATE // 100


class Speed(Augmentation):
    """Played faster or slower; pitch and length change together.

    Args:
        factors: One is drawn for each recording; 1.1 is faster and shorter.
        p: Share of the recordings that are changed.
    """

    def __init__(self, factors: Sequence[float] = (0.9, 1.0, 1.1), p: float = 1.0):
        super().__init__(p)
        if not factors or set(factors) == {1}:
            raise ValueError(f"factors = {list(factors)} change nothing; give such as [0.9, 1.1]")
        for factor in factors:
            if not 0.25 <= factor <= 4:
                raise ValueError(f"factor {factor} must be between 0.25 and 4")
        self.factors = tuple(factors)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S / factor,)."""
        factor = self.factors[rng.integers(len(self.factors))]
        return soxr.resample(waveform, SAMPLE_RATE * factor, SAMPLE_RATE, quality="HQ")


class _Mask(Augmentation):
    def __init__(self, num: tuple[int, int], p: float):
        super().__init__(p)
        self.num = check_range("num", num, 1, 1000)

    def count(self, rng: np.random.Generator) -> int:
        return int(rng.integers(int(self.num[0]), int(self.num[1]), endpoint=True))


class TimeMask(_Mask):
    """Stretches of silence.

    Args:
        num: [fewest, most] stretches.
        seconds: [from, to], the length of one.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        num: tuple[int, int] = (1, 2),
        seconds: tuple[float, float] = (0.02, 0.2),
        p: float = 1.0,
    ):
        super().__init__(num, p)
        self.seconds = check_range("seconds", seconds, 1 / SAMPLE_RATE, 60)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        masked = waveform.copy()
        for _ in range(self.count(rng)):
            width = min(round(draw(self.seconds, rng) * SAMPLE_RATE), len(waveform) // 2)
            start = rng.integers(len(waveform) - width, endpoint=True)
            masked[start : start + width] = 0
        return masked


class FrequencyMask(_Mask):
    """Bands of frequencies taken out of the whole recording.

    Args:
        num: [fewest, most] bands.
        width_hz: [from, to], the width of one.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        num: tuple[int, int] = (1, 2),
        width_hz: tuple[float, float] = (100, 1000),
        p: float = 1.0,
    ):
        super().__init__(num, p)
        self.width_hz = check_range("width_hz", width_hz, 1, SAMPLE_RATE / 4)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        widths = [draw(self.width_hz, rng) for _ in range(self.count(rng))]
        lows = [draw((0, SAMPLE_RATE / 2 - width), rng) for width in widths]

        def response(frequencies: np.ndarray) -> np.ndarray:
            passes = np.ones_like(frequencies)
            for low, width in zip(lows, widths, strict=True):
                passes[(frequencies >= low) & (frequencies <= low + width)] = 0
            return passes

        return shape_spectrum(waveform, response)


class TrimSilence(Augmentation):
    """Long silences made short; nothing is drawn.

    Args:
        threshold_db: A 10 ms frame this far below the loudest one counts as silent.
        longest: Silences keep at most so many seconds; half of it at the ends.
        where: `everywhere`, or `ends` to keep the silences inside.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        threshold_db: float = 40,
        longest: float = 0.2,
        where: Literal["everywhere", "ends"] = "everywhere",
        p: float = 1.0,
    ):
        super().__init__(p)
        if threshold_db <= 0 or longest < 0:
            raise ValueError(
                f"threshold_db = {threshold_db} must be above 0, and longest = {longest} at least 0"
            )
        if where not in ("everywhere", "ends"):
            raise ValueError(f"where = {where!r} must be 'everywhere' or 'ends'")
        self.threshold_db, self.longest, self.where = threshold_db, longest, where

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S',), S' at most S."""
        frames = np.pad(waveform, (0, -len(waveform) % FRAME)).reshape(-1, FRAME)
        energy = np.square(frames, dtype=np.float64).mean(axis=1)
        kept = energy >= energy.max() * 10 ** (-self.threshold_db / 10)
        margin = round(self.longest / 2 * SAMPLE_RATE / FRAME)
        if margin:
            kept = binary_dilation(kept, iterations=margin)
        if self.where == "ends":
            first, last = np.flatnonzero(kept)[[0, -1]]
            kept[first:last] = True
        return waveform[np.repeat(kept, FRAME)[: len(waveform)]]
