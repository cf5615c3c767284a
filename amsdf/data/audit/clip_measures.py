"""What can be measured of one clip without listening: is it usable, and how does it look."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amsdf.audio.recording import Recording
from amsdf.audio.sources import AudioError

FULL_SCALE = 0.999
CLIPPED_RUN = 3
SILENCE_BELOW_PEAK_DB = 40.0
BAND_BELOW_PEAK_DB = 70.0
_FRAME = 1024
_MAX_FRAMES = 1000
#: The first samples of a recording, on which level, bandwidth and leading silence are measured:
#: 17 minutes at 16 kHz.
_LISTENED = 1 << 24


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
        heard = _listen(Recording(path), start, end)
    except AudioError as error:
        return ClipMeasures("unreadable", error.reason)
    if heard.problem:
        return ClipMeasures(heard.problem, f"{heard.num_samples} samples")
    wave, rate = heard.wave, heard.rate
    return ClipMeasures(
        content=heard.content,
        clipped=heard.clipped,
        duration=heard.num_samples / rate,
        sample_rate=float(rate),
        bandwidth=bandwidth(wave, rate),
        level=float(10 * np.log10(np.mean(wave**2))),
        leading_silence=leading_silence(wave, rate),
        format=Path(path).suffix.lower(),
    )


@dataclass(frozen=True)
class _Heard:
    """What all samples have in common, and the first of them."""

    problem: str
    num_samples: int
    rate: int = 0
    content: str = ""
    clipped: bool = False
    #: Mono (S,), of at most `_LISTENED` samples.
    wave: np.ndarray = field(default_factory=lambda: np.zeros(0))


def _listen(recording: Recording, start: float | None, end: float | None) -> _Heard:
    kept: list[np.ndarray] = []
    content = hashlib.blake2b(digest_size=16)
    num_samples, rate, clipped, silent = 0, 0, False, True
    for samples, own_rate in recording.blocks(start, end):
        rate = own_rate
        wave = samples.mean(axis=1, dtype=np.float64)
        num_samples += len(wave)
        if not np.isfinite(wave).all():
            return _Heard("not finite", num_samples)
        silent = silent and not wave.any()
        content.update(sixteen_bits(wave))
        clipped = clipped or is_clipped(samples)
        if num_samples - len(wave) < _LISTENED:
            kept.append(wave)
    if recording.cut_off:
        raise AudioError(recording.name, recording.cut_off)
    if silent:
        return _Heard("silent" if num_samples else "empty", num_samples)
    content.update(str(rate).encode())
    wave = np.concatenate(kept)[:_LISTENED]
    return _Heard("", num_samples, rate, content.hexdigest(), clipped, wave)


def sixteen_bits(wave: np.ndarray) -> bytes:
    """The samples (S,) at 16 bits, so that wav and flac of the same sound agree."""
    return np.round(np.clip(wave, -1, 1) * 32_767).astype("<i2").tobytes()


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
