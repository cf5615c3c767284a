"""RawBoost: noise of telephone lines and codecs made without any data.

Tak, Kamble, Patino, Todisco and Evans: "RawBoost: A Raw Data Boosting and Augmentation Method
applied to Automatic Speaker Verification Anti-Spoofing", ICASSP 2022.

Three changes: linear and non-linear convolutive noise (LnL), impulsive signal-dependent noise
(ISD) and stationary signal-independent noise (SSI). Random draws and signal processing are kept
apart; the draws are made in the order of the reference implementation, so that the same numbers
give the same sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import firwin, freqz

from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations.contract import Augmentation, check_range
from amsdf.data.augmentations.signals import Draws, draw

#: Notch edges stay so far (Hz) from 0 and from half the sample rate.
EDGE = 1e-3
#: The algorithms that are changes in series, by number.
SERIES = {
    0: (),
    1: ("lnl",),
    2: ("isd",),
    3: ("ssi",),
    4: ("lnl", "isd", "ssi"),
    5: ("lnl", "isd"),
    6: ("lnl", "ssi"),
    7: ("isd", "ssi"),
}


@dataclass(frozen=True)
class Notch:
    """One band taken out: centre and width in Hz, number of filter taps, one more if even."""

    centre: float
    width: float
    num_taps: int


@dataclass(frozen=True)
class NotchBank:
    """Notches in series; the loudest frequency passes with `gain_db`."""

    notches: tuple[Notch, ...]
    gain_db: float

    def taps(self) -> np.ndarray:
        """The impulse response (T,), T odd, symmetric."""
        response = np.ones(1)
        for notch in self.notches:
            low = max(notch.centre - notch.width / 2, EDGE)
            high = min(notch.centre + notch.width / 2, SAMPLE_RATE / 2 - EDGE)
            response = np.convolve(
                response, firwin(notch.num_taps | 1, [low, high], fs=SAMPLE_RATE)
            )
        loudest = np.abs(freqz(response, worN=512)[1]).max()
        return 10 ** (self.gain_db / 20) * response / loudest


def filter_sum(signals: np.ndarray, filters: Sequence[np.ndarray], early: int = 1) -> np.ndarray:
    """Filter each of (K, S) by its own symmetric filter of odd length and add up -> (S,).

    The delay of the filters is taken out. The reference takes out one sample more than the delay;
    `early=1` keeps to it, `early=0` is exact.
    """
    longest = max(len(taps) for taps in filters)
    aligned = np.zeros((len(filters), longest))
    for row, taps in zip(aligned, filters, strict=True):
        start = (longest - len(taps)) // 2
        row[start : start + len(taps)] = taps
    num_samples = signals.shape[1]
    size = next_fast_len(num_samples + longest, real=True)
    product = (rfft(signals, size) * rfft(aligned, size)).sum(axis=0)
    delay = (longest - 1) // 2 + early
    return irfft(product, size)[delay : delay + num_samples]


def convolutive(waveform: np.ndarray, filters: Sequence[np.ndarray], early: int = 1) -> np.ndarray:
    """LnL: powers 1, 2, … of the waveform (S,), each filtered, added up, without its mean."""
    powers = np.tile(waveform, (len(filters), 1)).cumprod(axis=0)
    noisy = filter_sum(powers, filters, early)
    return limit_peak(noisy - noisy.mean())


def impulsive(
    waveform: np.ndarray, places: np.ndarray, factors: np.ndarray, gain: float
) -> np.ndarray:
    """ISD: at `places` (n,) add `gain` times `factors` (n,) times the sample at that place."""
    noisy = waveform.copy()
    noisy[places] += gain * waveform[places] * factors
    return limit_peak(noisy)


def stationary(
    waveform: np.ndarray, noise: np.ndarray, taps: np.ndarray, snr_db: float, early: int = 1
) -> np.ndarray:
    """SSI: add white `noise` (S,) filtered by `taps`, `snr_db` below the waveform (S,)."""
    coloured = filter_sum(noise[None], [taps], early)
    loudness = np.linalg.norm(waveform) / np.linalg.norm(coloured)
    return waveform + coloured * loudness * 10 ** (-snr_db / 20)


def limit_peak(waveform: np.ndarray) -> np.ndarray:
    """(S,), scaled down to a peak of 1 if it is above."""
    return waveform / max(np.abs(waveform).max(), 1.0)


class RawBoost(Augmentation):
    """RawBoost (Tak et al., 2022), the published defaults; ranges are written [from, to].

    Args:
        algorithm: 1 LnL, 2 ISD, 3 SSI, 4 all three in series, 5 LnL and ISD, 6 LnL and SSI,
            7 ISD and SSI, 8 LnL and ISD in parallel, 0 none; or a list to draw from anew for each
            recording.
        num_orders: Powers of the signal in LnL.
        num_notches: Notches in each filter.
        centre_hz: Centre of a notch.
        width_hz: Width of a notch.
        num_taps: Filter taps of a notch; an even draw is made odd.
        gain_db: Gain of the first order of LnL, and of the filter of SSI.
        higher_gain_db: Gain of the higher orders of LnL.
        impulse_percent: Most samples that ISD changes, in percent.
        impulse_gain: Loudness of the impulses of ISD.
        snr_db: Signal-to-noise ratio of SSI.
        compensate_delay: Keep the filtered signal in time. The reference makes it one sample early,
            which is the default here too.
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        algorithm: int | Sequence[int] = 4,
        *,
        num_orders: int = 5,
        num_notches: int = 5,
        centre_hz: tuple[float, float] = (20, 8000),
        width_hz: tuple[float, float] = (100, 1000),
        num_taps: tuple[int, int] = (10, 100),
        gain_db: tuple[float, float] = (0, 0),
        higher_gain_db: tuple[float, float] = (-5, -20),
        impulse_percent: float = 10,
        impulse_gain: float = 2,
        snr_db: tuple[float, float] = (10, 40),
        compensate_delay: bool = False,
        p: float = 1.0,
    ):
        super().__init__(p)
        self.algorithms = _check_algorithms(algorithm)
        if num_orders < 1 or num_notches < 1:
            raise ValueError(
                f"num_orders = {num_orders} and num_notches = {num_notches} must be at least 1"
            )
        if not 0 < impulse_percent <= 100 or impulse_gain <= 0:
            raise ValueError(
                f"impulse_percent = {impulse_percent} must be above 0 and up to 100, "
                f"and impulse_gain = {impulse_gain} above 0"
            )
        half = SAMPLE_RATE / 2
        self.num_orders, self.num_notches = num_orders, num_notches
        self.centre_hz = check_range("centre_hz", centre_hz, EDGE, half)
        self.width_hz = check_range("width_hz", width_hz, 1, half)
        self.num_taps = check_range("num_taps", num_taps, 3, 10_000)
        check_range("gain_db", sorted(gain_db), -120, 120)
        check_range("higher_gain_db", sorted(higher_gain_db), -120, 120)
        self.gain_db, self.higher_gain_db = gain_db, higher_gain_db
        self.impulse_percent, self.impulse_gain = impulse_percent, impulse_gain
        self.snr_db = check_range("snr_db", snr_db, -100, 100)
        self.early = 0 if compensate_delay else 1

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        algorithm = self.algorithms[rng.integers(len(self.algorithms))]
        return self.boost(waveform.astype(np.float64), algorithm, rng)

    def boost(self, waveform: np.ndarray, algorithm: int, draws: Draws) -> np.ndarray:
        """One of the algorithms 0 … 8 in float64: (S,) -> (S,)."""
        if algorithm == 8:
            convolved = self.lnl(waveform, draws)
            return limit_peak(convolved + self.isd(waveform, draws))
        for name in SERIES[algorithm]:
            waveform = getattr(self, name)(waveform, draws)
        return waveform

    def lnl(self, waveform: np.ndarray, draws: Draws) -> np.ndarray:
        """Linear and non-linear convolutive noise: (S,) -> (S,)."""
        gains = [self.gain_db] + [self.higher_gain_db] * (self.num_orders - 1)
        filters = [self._draw_bank(gain, draws).taps() for gain in gains]
        return convolutive(waveform, filters, self.early)

    def isd(self, waveform: np.ndarray, draws: Draws) -> np.ndarray:
        """Impulsive signal-dependent noise: (S,) -> (S,)."""
        share = draw((0, self.impulse_percent), draws) / 100
        places = draws.permutation(len(waveform))[: int(len(waveform) * share)]
        factors = (2 * draws.random(len(places)) - 1) * (2 * draws.random(len(places)) - 1)
        return impulsive(waveform, places, factors, self.impulse_gain)

    def ssi(self, waveform: np.ndarray, draws: Draws) -> np.ndarray:
        """Stationary signal-independent noise: (S,) -> (S,)."""
        noise = draws.standard_normal(len(waveform))
        taps = self._draw_bank(self.gain_db, draws).taps()
        return stationary(waveform, noise, taps, draw(self.snr_db, draws), self.early)

    def _draw_bank(self, gain_db: Sequence[float], draws: Draws) -> NotchBank:
        notches = tuple(self._draw_notch(draws) for _ in range(self.num_notches))
        return NotchBank(notches, draw(gain_db, draws))

    def _draw_notch(self, draws: Draws) -> Notch:
        centre, width = draw(self.centre_hz, draws), draw(self.width_hz, draws)
        return Notch(centre, width, int(draw(self.num_taps, draws)))


def _check_algorithms(algorithm: int | Sequence[int]) -> tuple[int, ...]:
    algorithms = (algorithm,) if isinstance(algorithm, int) else tuple(algorithm)
    for number in algorithms:
        if number not in range(9):
            raise ValueError(f"algorithm {number} is none of 0, 1, …, 8")
    if not any(algorithms):
        raise ValueError(
            f"algorithm = {algorithm} changes nothing; give 1 to 8, or a list with one of them"
        )
    return algorithms
