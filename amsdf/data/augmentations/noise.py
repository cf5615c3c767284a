"""Additive noise: from recordings, made up, or of many voices."""

import numpy as np

from amsdf.data.augmentations.contract import check_range
from amsdf.data.augmentations.recordings import FromRecordings
from amsdf.data.augmentations.signals import add_at_snr, draw, shape_spectrum
from amsdf.registry import nearest

#: Exponent e of each colour: the power at frequency f is proportional to f ** -e.
COLOURS = {"violet": -2.0, "blue": -1.0, "white": 0.0, "pink": 1.0, "brown": 2.0}


class AddNoise(FromRecordings):
    """Noise from recordings, or made up with a colour.

    Args:
        source: Data root of the noise recordings, `name` or `name/part`; without it, noise is made.
        colour: Colour of made noise: violet, blue, white, pink, brown, or `any`, which draws the
            slope between violet and brown for each recording. Without it, white.
        snr_db: [from, to], signal-to-noise ratio.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        source: str | None = None,
        colour: str | None = None,
        snr_db: tuple[float, float] = (0, 20),
        p: float = 1.0,
    ):
        super().__init__(source, p)
        if source is not None and colour is not None:
            raise ValueError(f"source = {source!r} and colour = {colour!r}; give one of them")
        self.colour = colour or "white"
        if self.colour not in (*COLOURS, "any"):
            raise ValueError(
                f"no colour {self.colour!r}.{nearest(self.colour, COLOURS)} "
                f"Colours: {', '.join(COLOURS)}, any"
            )
        self.snr_db = check_range("snr_db", snr_db, -100, 100)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        if self.source is not None:
            noise = self.excerpt(len(waveform), rng)
        else:
            noise = self._coloured(len(waveform), rng)
        return add_at_snr(waveform, noise, draw(self.snr_db, rng))

    def _coloured(self, length: int, rng: np.random.Generator) -> np.ndarray:
        if self.colour == "any":
            exponent = draw((COLOURS["violet"], COLOURS["brown"]), rng)
        else:
            exponent = COLOURS[self.colour]
        white = rng.standard_normal(length)
        # Below 20 Hz the slope ends, or brown noise would be nearly a constant.
        return shape_spectrum(white, lambda hz: np.maximum(hz, 20) ** (-exponent / 2))


class AddBabble(FromRecordings):
    """Several voices at once, from recordings of speech.

    Args:
        source: Data root of the speech, `name` or `name/part`; not what is evaluated.
        num_voices: [fewest, most] recordings that are mixed, each as loud as the others.
        snr_db: [from, to], the clip against all voices together.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        source: str,
        num_voices: tuple[int, int] = (3, 7),
        snr_db: tuple[float, float] = (10, 20),
        p: float = 1.0,
    ):
        super().__init__(source, p)
        self.num_voices = check_range("num_voices", num_voices, 1, 1000)
        self.snr_db = check_range("snr_db", snr_db, -100, 100)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        fewest, most = map(int, self.num_voices)
        babble = np.zeros(len(waveform))
        for _ in range(rng.integers(fewest, most, endpoint=True)):
            voice = self.excerpt(len(waveform), rng)
            babble += voice / np.linalg.norm(voice)
        return add_at_snr(waveform, babble, draw(self.snr_db, rng))
