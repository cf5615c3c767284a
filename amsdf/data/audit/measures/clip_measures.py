"""What can be measured of one clip without listening: is it usable, and how does it look."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from amsdf.audio.files.recording import Recording
from amsdf.audio.files.sources import AudioError, is_there, located
from amsdf.data.audit.measures.fingerprints import fingerprint

FULL_SCALE = 0.999
CLIPPED_RUN = 3
SILENCE_BELOW_PEAK_DB = 40.0
BAND_BELOW_PEAK_DB = 70.0
#: Seconds: in less there is no word.
SHORTEST = 0.1
#: dB of full scale: below, there is nothing but digital silence.
FLOOR_DB = -100.0
_FRAME = 1024
_MAX_FRAMES = 1000
#: The first samples of a recording, on which all is measured but its length, its clipping and its
#: end: 17 minutes at 16 kHz.
_LISTENED = 1 << 24


@dataclass(frozen=True)
class ClipMeasures:
    """One clip; where `problem` says why it cannot be used, the numbers are missing."""

    #: '', missing, unreadable, empty, not finite, silent or too short.
    problem: str = ""
    detail: str = ""
    #: Digest of the decoded samples: equal sound in other containers is found.
    content: str | None = None
    #: Hashes of `fingerprint`, which survive a change of level, a cut and a codec.
    fingerprint: bytes | None = None
    #: Seconds.
    duration: float | None = None
    sample_rate: float | None = None
    channels: float | None = None
    #: Suffix and kind of samples.
    format: str | None = None
    #: Hertz up to which there is anything.
    bandwidth: float | None = None
    #: Root mean square in dB of full scale, without the offset.
    level: float | None = None
    #: Level of the quietest tenth, in dB of full scale.
    noise_floor: float | None = None
    #: Distance of the mean sample from zero, of full scale.
    dc_offset: float | None = None
    #: Seconds before the sound begins, and after it ends.
    leading_silence: float | None = None
    trailing_silence: float | None = None
    #: Seconds of the longest run of zeros inside the sound.
    zero_gap: float | None = None
    #: Shares of the samples that are zero, and that stay at full scale.
    zero_share: float | None = None
    clipped_share: float | None = None


def measure_clip(path: str, start: float | None = None, end: float | None = None) -> ClipMeasures:
    """The clip at `path`, or its part between two times in seconds."""
    if not is_there(path):
        return ClipMeasures("missing", "no such file")
    try:
        heard = _listen(Recording(path), start, end)
    except AudioError as error:
        return ClipMeasures("unreadable", error.reason)
    if heard.problem:
        return ClipMeasures(heard.problem, f"{heard.num_samples} samples")
    offset = float(heard.wave.mean())
    wave, rate = heard.wave - offset, heard.rate
    before = leading_silence(wave, rate)
    return ClipMeasures(
        content=heard.content,
        fingerprint=fingerprint(wave[round(before * rate) :], rate),
        duration=heard.num_samples / rate,
        sample_rate=float(rate),
        channels=float(heard.channels),
        format=_format_of(path),
        bandwidth=bandwidth(wave, rate),
        level=decibels(float(np.mean(wave**2))),
        noise_floor=noise_floor(wave, rate),
        dc_offset=abs(offset),
        leading_silence=before,
        trailing_silence=leading_silence(heard.end[::-1] - offset, rate),
        zero_gap=longest_gap(heard.wave) / rate,
        zero_share=float(np.mean(heard.wave == 0)),
        clipped_share=heard.num_clipped / heard.num_samples,
    )


@dataclass(frozen=True)
class _Heard:
    """What all samples have in common, the first of them and the last."""

    problem: str
    num_samples: int
    rate: int = 0
    channels: int = 0
    content: str = ""
    num_clipped: int = 0
    #: Mono (S,), of at most `_LISTENED` samples.
    wave: np.ndarray = field(default_factory=lambda: np.zeros(0))
    #: The same of a short recording; of a long one its last two blocks.
    end: np.ndarray = field(default_factory=lambda: np.zeros(0))


def _listen(recording: Recording, start: float | None, end: float | None) -> _Heard:
    kept: list[np.ndarray] = []
    last: list[np.ndarray] = []
    content = hashlib.blake2b(digest_size=16)
    num_samples, rate, channels, num_clipped, low, high = 0, 0, 0, 0, np.inf, -np.inf
    for samples, own_rate in recording.blocks(start, end):
        rate, channels = own_rate, samples.shape[1]
        wave = samples.mean(axis=1, dtype=np.float64)
        num_samples += len(wave)
        if not np.isfinite(wave).all():
            return _Heard("not finite", num_samples)
        low, high = min(low, wave.min()), max(high, wave.max())
        content.update(sixteen_bits(wave))
        num_clipped += count_clipped(samples)
        last = [*last[-1:], wave]
        if num_samples - len(wave) < _LISTENED:
            kept.append(wave)
    if recording.cut_off:
        raise AudioError(recording.name, recording.cut_off)
    if num_samples < SHORTEST * rate or not num_samples:
        return _Heard("too short" if num_samples else "empty", num_samples)
    if low == high:
        return _Heard("silent", num_samples)
    content.update(str(rate).encode())
    wave = np.concatenate(kept)[:_LISTENED]
    ending = wave if len(wave) == num_samples else np.concatenate(last)
    return _Heard("", num_samples, rate, channels, content.hexdigest(), num_clipped, wave, ending)


def _format_of(path: str) -> str:
    """The suffix and the kind of samples; of what a shard holds without suffix, its container."""
    suffix = Path(path).suffix.lower()
    try:
        info = soundfile.info(located(path)[1])
    except (soundfile.SoundFileError, TypeError):
        return suffix
    return f"{suffix or info.format} {info.subtype}"


def sixteen_bits(wave: np.ndarray) -> bytes:
    """The samples (S,) at 16 bits, so that wav and flac of the same sound agree."""
    return np.round(np.clip(wave, -1, 1) * 32_767).astype("<i2").tobytes()


def decibels(power: float) -> float:
    """A mean square in dB of full scale, not below the floor."""
    return max(FLOOR_DB, float(10 * np.log10(max(power, 1e-30))))


def count_clipped(samples: np.ndarray) -> int:
    """How many times (S, channels) go on staying at full scale: some samples running."""
    full: np.ndarray = np.abs(samples) >= FULL_SCALE
    if len(full) < CLIPPED_RUN or not full.any():
        return 0
    runs = np.lib.stride_tricks.sliding_window_view(full, CLIPPED_RUN, axis=0)
    return int(np.sum(np.any(np.all(runs, axis=2), axis=1)))


def bandwidth(wave: np.ndarray, rate: int) -> float:
    """The highest frequency with a mean power within 70 dB of the strongest; wave (S,)."""
    padded = np.pad(wave, (0, max(0, _FRAME - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)
    frames = frames[:: max(_FRAME // 2, len(frames) // _MAX_FRAMES)]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME))) ** 2
    power = spectrum.mean(axis=0)
    audible = np.flatnonzero(power >= power.max() * 10 ** (-BAND_BELOW_PEAK_DB / 10))
    return float(audible[-1] * rate / _FRAME)


def _energies(wave: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Sums of squares of every 10 ms, and the samples in them."""
    step = max(1, rate // 100)
    frames = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
    return np.square(frames).sum(axis=1), step


def leading_silence(wave: np.ndarray, rate: int) -> float:
    """Seconds before the first 10 ms within 40 dB of the loudest 10 ms; wave (S,)."""
    energy, step = _energies(wave, rate)
    loud = energy >= energy.max() * 10 ** (-SILENCE_BELOW_PEAK_DB / 10)
    return int(np.argmax(loud)) * step / rate


def noise_floor(wave: np.ndarray, rate: int) -> float:
    """Level of the quietest tenth of 10 ms, in dB of full scale; wave (S,)."""
    energy, step = _energies(wave, rate)
    return decibels(float(np.quantile(energy, 0.1)) / step)


def longest_gap(wave: np.ndarray) -> int:
    """Samples of the longest run of zeros with sound on both sides; wave (S,)."""
    sound = np.flatnonzero(wave)
    return int(np.diff(sound).max(initial=1)) - 1
