"""Reverberation, from recorded impulse responses or of a simulated room."""

import numpy as np
from scipy.signal import oaconvolve

from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations.contract import check_range
from amsdf.data.augmentations.recordings import FromRecordings
from amsdf.data.augmentations.signals import draw, rms


class Reverb(FromRecordings):
    """A room. The direct sound stays where it was, and so does the loudness.

    Args:
        source: Data root of impulse responses, `name` or `name/part`; without it, the room is
            simulated: the direct sound, then noise that dies away exponentially.
        rt60: [from, to], seconds in which the simulated room dies away by 60 dB.
        direct_db: [from, to], direct sound over reverberation in the simulated room.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        source: str | None = None,
        rt60: tuple[float, float] = (0.2, 0.8),
        direct_db: tuple[float, float] = (-3, 10),
        p: float = 1.0,
    ):
        super().__init__(source, p)
        self.rt60 = check_range("rt60", rt60, 0.01, 10)
        self.direct_db = check_range("direct_db", direct_db, -60, 60)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        response = self._simulated(rng) if self.source is None else self._recorded(rng)
        wet = oaconvolve(waveform, response)[: len(waveform)]
        loudness = rms(wet)
        return wet * (rms(waveform) / loudness) if loudness else wet

    def _simulated(self, rng: np.random.Generator) -> np.ndarray:
        seconds = draw(self.rt60, rng)
        time = np.arange(1, int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
        tail *= 10 ** (-draw(self.direct_db, rng) / 20) / np.linalg.norm(tail)
        return np.concatenate([[1.0], tail])

    def _recorded(self, rng: np.random.Generator) -> np.ndarray:
        response = self.recording(rng)
        return response[np.argmax(np.abs(response)) :]
