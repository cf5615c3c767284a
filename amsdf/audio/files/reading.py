"""Files to waveforms: decode, mix to mono, resample to 16 kHz."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from amsdf.audio.files.decoding import RATES
from amsdf.audio.files.recording import Recording
from amsdf.audio.files.sources import AudioError, Source
from amsdf.conventions import SAMPLE_RATE

#: What is read into memory whole is at most this long; `stream_audio` has no limit.
MAX_HOURS = 4


def check_waveform(name: Path | str, waveform: np.ndarray) -> None:
    """Refuse what no detector can judge: nothing, not-a-number, digital silence."""
    _check_finite(name, waveform)
    _check_heard(name, len(waveform), bool(waveform.any()))


def _check_finite(name: Path | str, waveform: np.ndarray) -> None:
    if not np.isfinite(waveform).all():
        count = int((~np.isfinite(waveform)).sum())
        raise AudioError(name, f"{count} samples are NaN or infinite; export it again")


def _check_heard(name: Path | str, num_samples: int, heard: bool) -> None:
    if not num_samples:
        raise AudioError(name, "has no samples; record or export it again")
    if not heard:
        raise AudioError(name, "is digital silence; there is nothing to judge")


class AudioStream(Iterator[np.ndarray]):
    """A recording, or its part between two times, as blocks (S,) float32 at 16 kHz.

    What nobody can judge (no samples, digital silence) is refused at the end, when it is known.
    """

    def __init__(self, source: Source, start: float | None = None, end: float | None = None):
        self._recording = Recording(source)
        self._blocks = self._read(start, end)

    def __next__(self) -> np.ndarray:
        return next(self._blocks)

    @property
    def name(self) -> str:
        """What errors call the recording."""
        return self._recording.name

    def complete(self) -> Iterator[np.ndarray]:
        """Its blocks; a recording that is cut off is refused at its end."""
        yield from self
        if self.cut_off:
            raise AudioError(self.name, f"{self.cut_off}; copy or download it again")

    @property
    def cut_off(self) -> str:
        """Once its end is read: what is missing of the file, in words; empty where all is there."""
        return self._recording.cut_off

    def _read(self, start: float | None, end: float | None) -> Iterator[np.ndarray]:
        heard, num_samples = False, 0
        resampler: soxr.ResampleStream | None = None
        for samples, rate in self._recording.blocks(start, end):
            block = _mixed(samples)
            _check_finite(self.name, block)
            heard = heard or bool(block.any())
            if rate != SAMPLE_RATE:
                resampler = resampler or soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="HQ")
                block = resampler.resample_chunk(block)
            num_samples += len(block)
            yield block
        if resampler is not None:
            block = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            num_samples += len(block)
            yield block
        _check_heard(self.name, num_samples, heard)


def _mixed(samples: np.ndarray) -> np.ndarray:
    """(S, channels) -> (S,): the mean of the channels."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    return samples.mean(axis=1, dtype=np.float64).astype(np.float32)


def stream_audio(
    source: Source, start: float | None = None, end: float | None = None
) -> AudioStream:
    """A recording, or its part between two times in seconds, in bounded memory.

    It yields blocks (S,) float32 at 16 kHz; together they are what `read_audio` gives.

    Args:
        source: A file, the bytes of one, or an open binary file.
        start: Where the part begins; without it, at the beginning.
        end: Where it ends; without it, at the end.
    """
    return AudioStream(source, start, end)


def read_audio(source: Source, start: float | None = None, end: float | None = None) -> np.ndarray:
    """A recording, or its part between two times in seconds -> (S,) float32 at 16 kHz.

    A file that is cut off (it announces more than is there) is refused, whatever its format: a
    corpus with broken copies gives wrong figures. `stream_audio` reads what is there and says so.

    Args:
        source: A file, the bytes of one, or an open binary file.
        start: Where the part begins; without it, at the beginning.
        end: Where it ends; without it, at the end.
    """
    stream = stream_audio(source, start, end)
    # One array that grows: a list of blocks, and they joined, would be in memory twice.
    samples, silent = bytearray(), 0
    for block in stream.complete():
        if not samples and not block.any():
            silent += len(block)  # hours of silence take no memory until sound is found
        elif silent:
            samples.extend(bytes(silent * block.itemsize))
            silent = 0
        if not silent:
            samples.extend(np.ascontiguousarray(block))
        if silent + len(samples) // block.itemsize > MAX_HOURS * 3600 * SAMPLE_RATE:
            raise AudioError(stream.name, f"lasts more than {MAX_HOURS} hours; cut it into parts")
    return np.frombuffer(samples, np.float32)


def waveform_of(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples in memory -> (S,) float32 at 16 kHz, refused as those of a file are.

    Args:
        samples: (S,), (channels, S) or (S, channels); of two axes the shorter one is the channels.
            Integers are scaled by their type: 16-bit samples are in [-32768, 32767].
        rate: Samples a second.
    """
    given = np.asarray(samples)
    if given.ndim not in (1, 2):
        raise ValueError(f"samples have shape {given.shape}; give (S,), or (channels, S)")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"sampling_rate is {rate}; give the samples a second, such as 16000")
    if given.dtype.kind not in "fi":
        raise ValueError(f"samples are {given.dtype}; give floats in [-1, 1] or signed integers")
    if given.dtype.kind == "i":
        given = given / -float(np.iinfo(given.dtype).min)
    if given.ndim == 2:
        given = given.mean(axis=int(np.argmin(given.shape)))
    waveform = given.astype(np.float32)
    check_waveform("the recording", waveform)
    if rate != SAMPLE_RATE:
        waveform = resample(waveform, rate)
        check_waveform("the recording", waveform)  # of a few samples nothing may be left
    return waveform


def resample(waveform: np.ndarray, rate: int, to: int = SAMPLE_RATE) -> np.ndarray:
    """(S,) at `rate` -> (S',) at `to`."""
    return soxr.resample(waveform, rate, to, quality="HQ").astype(np.float32)
