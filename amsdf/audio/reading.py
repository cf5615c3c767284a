"""Files to waveforms: decode, mix to mono, resample to 16 kHz.

`soundfile` reads first because it is quick; PyAV (FFmpeg) reads what `soundfile` refuses: m4a, mp4,
and the valid FLAC files that libsndfile 1.2.2 does not take (a third of ASVspoof 2021).
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from amsdf.conventions import SAMPLE_RATE

#: A recording: a file, the bytes of one, or an open binary file.
Source = Path | str | bytes | BinaryIO
_FILMS = ".mp4 .m4v .mov .mkv .webm .avi .wmv .asf .flv .mpg .mpeg .3gp .3g2 .ogv"
_SOUNDS = (
    ".wav .wave .w64 .rf64 .flac .aif .aiff .aifc .au .snd .caf .sph .wv .ape .tta .mp2 .mp3 .m4a "
    ".m4b .aac .ac3 .wma .ogg .oga .opus .spx .weba .mka .amr .gsm"
)
#: Files that are decoded slowly, for their pictures.
FILMS = frozenset(_FILMS.split())
#: What is taken for a recording in a folder; a single file is tried whatever its name.
SUFFIXES = FILMS.union(_SOUNDS.split())


class AudioError(ValueError):
    """A recording that cannot be used; the message names the file and the remedy."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["AudioError"], tuple[Path | str, str]]:
        """What a worker process sends is rebuilt from what it was made of."""
        return type(self), (self.path, self.reason)


def read_audio(source: Source, start: float | None = None, end: float | None = None) -> np.ndarray:
    """A recording, or its part between two times in seconds -> (S,) float32 at 16 kHz.

    Args:
        source: A file, the bytes of one, or an open binary file.
        start: Where the part begins; without it, at the beginning.
        end: Where it ends; without it, at the end.
    """
    name, place = _located(source)
    samples, rate = decode(place, name)
    waveform = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    if start is not None or end is not None:
        waveform = _part(name, waveform, rate, (start or 0.0, end))
    return _at_16_khz(name, waveform, rate)


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
    if rate <= 0:
        raise ValueError(f"sampling_rate is {rate}; give the samples a second, such as 16000")
    if given.dtype.kind not in "fi":
        raise ValueError(f"samples are {given.dtype}; give floats in [-1, 1] or signed integers")
    if given.dtype.kind == "i":
        given = given / -float(np.iinfo(given.dtype).min)
    if given.ndim == 2:
        given = given.mean(axis=int(np.argmin(given.shape)))
    return _at_16_khz("the recording", given.astype(np.float32), rate)


def _located(source: Source) -> tuple[str, Path | BytesIO]:
    """What errors call a recording, and where its bytes are."""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            reason = "is a folder, not a recording" if path.is_dir() else "no such file"
            raise AudioError(path, reason)
        size, name, place = path.stat().st_size, str(path), path
    else:
        content = source if isinstance(source, bytes) else source.read()
        name = str(getattr(source, "name", "the recording"))
        size, place = len(content), BytesIO(content)  # type: ignore[assignment]
    if not size:
        raise AudioError(name, "has zero bytes; copy or download it again")
    return name, place


def _at_16_khz(name: str, waveform: np.ndarray, rate: int) -> np.ndarray:
    check_waveform(name, waveform)
    if rate != SAMPLE_RATE:
        waveform = resample(waveform, rate)
        check_waveform(name, waveform)  # of a few samples nothing may be left
    return waveform


def _part(
    path: str, waveform: np.ndarray, rate: int, times: tuple[float, float | None]
) -> np.ndarray:
    start, end = times
    seconds = len(waveform) / rate
    if not 0 <= start < (seconds if end is None else min(end, seconds)):
        asked = f"from {start} s to {'the end' if end is None else f'{end} s'}"
        raise AudioError(path, f"has no part {asked}; it lasts {seconds:.2f} s")
    return waveform[round(start * rate) : None if end is None else round(end * rate)]


def resample(waveform: np.ndarray, rate: int, to: int = SAMPLE_RATE) -> np.ndarray:
    """(S,) at `rate` -> (S',) at `to`."""
    return soxr.resample(waveform, rate, to, quality="HQ").astype(np.float32)


def check_waveform(path: Path | str, waveform: np.ndarray) -> None:
    """Refuse what no detector can judge: nothing, not-a-number, digital silence."""
    if len(waveform) == 0:
        raise AudioError(path, "has no samples; record or export it again")
    if not np.isfinite(waveform).all():
        count = int((~np.isfinite(waveform)).sum())
        raise AudioError(path, f"{count} samples are NaN or infinite; export it again")
    if not waveform.any():
        raise AudioError(path, "is digital silence; there is nothing to judge")


def decode(place: Path | BytesIO, name: str = "") -> tuple[np.ndarray, int]:
    """A recording as it is: (S, channels) float32 and its sample rate; refused if cut off."""
    name = name or str(place)
    samples, rate = _decode(place, name)
    announced = _flac_length(place)
    if len(samples) < announced:
        raise AudioError(
            name,
            f"breaks off after {len(samples)} of {announced} samples; copy or download it again",
        )
    return samples, rate


def _flac_length(place: Path | BytesIO) -> int:
    """Samples that the header of a FLAC file announces: decoders take one cut between two frames.

    0 for other formats, and where the header does not say.
    """
    if isinstance(place, BytesIO):
        head = place.getvalue()[:26]
    else:
        with place.open("rb") as file:
            head = file.read(26)
    return int.from_bytes(head[21:26], "big") % (1 << 36) if head.startswith(b"fLaC") else 0


def _decode(place: Path | BytesIO, name: str) -> tuple[np.ndarray, int]:
    try:
        return soundfile.read(place, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as refused:
        try:
            return _decode_with_ffmpeg(place)
        except (av.FFmpegError, ValueError, IndexError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AudioError(
                name, f"cannot be decoded ({reason}); is it sound, and complete?"
            ) from refused


def _decode_with_ffmpeg(place: Path | BytesIO) -> tuple[np.ndarray, int]:
    if isinstance(place, BytesIO):
        place.seek(0)
    with av.open(place if isinstance(place, BytesIO) else str(place), mode="r") as container:
        if not container.streams.audio:
            raise ValueError("no sound track")
        stream = container.streams.audio[0]
        rate = stream.rate
        channels = [_planar(frame) for frame in _frames(container, rate)]
    if not channels:
        raise ValueError("no sound frames")
    return np.concatenate(channels, axis=1).T, rate


def _frames(container: av.container.InputContainer, rate: int) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler(format="fltp", rate=rate)
    for frame in container.decode(audio=0):
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _planar(frame: av.AudioFrame) -> np.ndarray:
    return frame.to_ndarray().astype(np.float32)
