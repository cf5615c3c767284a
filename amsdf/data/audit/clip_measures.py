"""What can be measured of one clip without listening: is it usable, and how does it look."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amsdf.audio.reading import AudioError, decode

FULL_SCALE = 0.999
CLIPPED_RUN = 3
SILENCE_BELOW_PEAK_DB = 40.0
BAND_BELOW_PEAK_DB = 70.0
_FRAME = 1024
_MAX_FRAMES = 1000


@dataclass(frozen=True)
class ClipMeasures:
    """One clip; where `problem` says why it cannot be used, the numbers are missing."""

    #: '', missing, unreadable, empty, not finite or silent.
    problem: str = ""
    detail: str = ""
    #: Digest of the decoded samples: equal sound in other containers is found.
    content: str | None = None
    clipped: bool = False
    #: Seconds.
    duration: float | None = None
    sample_rate: float | None = None
    #: Hertz up to which there is anything.
    bandwidth: float | None = None
    #: Root mean square in dB of full scale.
    level: float | None = None
    #: Seconds before the sound begins.
    leading_silence: float | None = None
    format: str | None = None


def measure_clip(path: str, start: float | None = None, end: float | None = None) -> ClipMeasures:
    """The clip at `path`, or its part between two times in seconds."""
    if not Path(path).is_file():
        return ClipMeasures("missing", "no such file")
    try:
        samples, rate = decode(Path(path))
    except AudioError as error:
        return ClipMeasures("unreadable", error.reason)
    wave = samples.mean(axis=1, dtype=np.float64)
    wave = wave[round((start or 0) * rate) : None if end is None else round(end * rate)]
    problem = _problem(wave)
    if problem:
        return ClipMeasures(problem, f"{len(wave)} samples")
    return ClipMeasures(
        content=content_digest(wave, rate),
        clipped=is_clipped(samples),
        duration=len(wave) / rate,
        sample_rate=float(rate),
        bandwidth=bandwidth(wave, rate),
        level=float(10 * np.log10(np.mean(wave**2))),
        leading_silence=leading_silence(wave, rate),
        format=Path(path).suffix.lower(),
    )


def _problem(wave: np.ndarray) -> str:
    if not len(wave):
        return "empty"
    if not np.isfinite(wave).all():
        return "not finite"
    return "" if wave.any() else "silent"


def content_digest(wave: np.ndarray, rate: int) -> str:
    """Of the samples (S,) at 16 bits, so that wav and flac of the same sound agree."""
    words = np.round(np.clip(wave, -1, 1) * 32_767).astype("<i2")
    return hashlib.blake2b(words.tobytes() + str(rate).encode(), digest_size=16).hexdigest()


def is_clipped(samples: np.ndarray) -> bool:
    """Whether a channel of (S, channels) stays at full scale for some samples running."""
    full = np.abs(samples) >= FULL_SCALE
    if len(full) < CLIPPED_RUN:
        return False
    return bool(np.lib.stride_tricks.sliding_window_view(full, CLIPPED_RUN, axis=0).all(-1).any())


def bandwidth(wave: np.ndarray, rate: int) -> float:
    """The highest frequency with a mean power within 70 dB of the strongest; wave (S,)."""
    padded = np.pad(wave, (0, max(0, _FRAME - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)
    frames = frames[:: max(_FRAME // 2, len(frames) // _MAX_FRAMES)]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME))) ** 2
    power = spectrum.mean(axis=0)
    audible = np.flatnonzero(power >= power.max() * 10 ** (-BAND_BELOW_PEAK_DB / 10))
    return float(audible[-1] * rate / _FRAME)


def leading_silence(wave: np.ndarray, rate: int) -> float:
    """Seconds before the first 10 ms within 40 dB of the loudest 10 ms; wave (S,)."""
    step = max(1, rate // 100)
    frames = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
    energy = np.square(frames).sum(axis=1)
    loud = energy >= energy.max() * 10 ** (-SILENCE_BELOW_PEAK_DB / 10)
    return int(np.argmax(loud)) * step / rate
