"""Recordings to blocks of samples at their own rate, in bounded memory.

`soundfile` reads first because it is quick; PyAV (FFmpeg) reads what `soundfile` refuses: m4a, mp4,
and the valid FLAC files that libsndfile 1.2.2 does not take (a third of ASVspoof 2021).
"""

from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from itertools import chain
from pathlib import Path

import av
import numpy as np
import soundfile

from amsdf.audio.files.entering import LEFT_TO_FFMPEG, Packets, enter_file, enter_track
from amsdf.audio.files.sources import AudioError, CutOffError

#: Lowest and highest sample rate. Outside, a header is wrong, or a few bytes become hours.
RATES = (1_000, 1_000_000)
#: Numbers in a block, over all channels.
_BLOCK = 1 << 16
#: What `soundfile` raises at files that it cannot read; LibsndfileError is a RuntimeError.
_REFUSALS = (RuntimeError, TypeError, ValueError, OverflowError, MemoryError, OSError)
#: FFmpeg's readers of single files. Those of lists (concat, hls, dash, sdp …) open others.
_FORMATS = (
    "aac ac3 aiff amr amrnb amrwb ape asf au avi caf dsf dts eac3 flac flv gsm loas matroska,webm "
    "mov,mp4,m4a,3gp,3g2,mj2 mp3 mpeg mpegts nut ogg rm shn sox tak tta voc w64 wav wv"
)
SAFE = {"format_whitelist": ",".join(_FORMATS.split()), "protocol_whitelist": "file"}
#: Containers that announce how long they are. Of others FFmpeg guesses.
_DECLARING = ("mov", "matroska", "flv", "asf", "tta", "wv", "ape", "tak")
#: Seconds by which a track may be shorter than it says: codecs pad and delay.
_TRACK_SLACK = 0.3

#: Samples (S, channels) float32, and their rate.
Block = tuple[np.ndarray, int]


def decode_blocks(place: Path | BytesIO, name: str, start: float = 0.0) -> Iterator[Block]:
    """The samples (S, channels) from `start` seconds on, block by block, with their rate.

    Args:
        place: A file, or the bytes of one.
        name: What errors call it.
        start: Where to begin, in seconds.
    """
    done = 0
    try:
        for block, rate in _with_soundfile(place, name, start):
            done += len(block)
            yield block, rate
    except _REFUSALS:
        yield from _with_ffmpeg(place, name, start, done)


def _with_soundfile(place: Path | BytesIO, name: str, start: float) -> Iterator[Block]:
    if isinstance(place, BytesIO):
        place.seek(0)
    with soundfile.SoundFile(place) as file:
        _check_rate(name, file.samplerate)
        first = round(start * file.samplerate)
        if first and file.subtype == LEFT_TO_FFMPEG:
            raise ValueError("the other decoder enters it")
        entry = enter_file(file, first)
        # Else each read ends with a seek, behind which an MP3 lacks what the frames before lent it.
        file.seekable = lambda: False
        size = max(1, _BLOCK // file.channels)
        yield from _behind(first - entry, _read_blocks(file, size), file.samplerate)


def _read_blocks(file: soundfile.SoundFile, size: int) -> Iterator[np.ndarray]:
    while len(block := file.read(size, dtype="float32", always_2d=True)):
        yield block


def _behind(first: int, blocks: Iterator[np.ndarray], rate: int) -> Iterator[Block]:
    """The blocks without the first samples."""
    for block in blocks:
        if first < len(block):
            yield block[first:], rate
        first = max(0, first - len(block))


def _with_ffmpeg(place: Path | BytesIO, name: str, start: float, done: int) -> Iterator[Block]:
    """Everything from `done` samples behind `start` on.

    The decoders are foreign code and files are anything: whatever they raise is the file's failure.
    """
    try:
        with ExitStack() as opened:
            container = opened.enter_context(_container(place))
            rate = _rate_of(container, name)
            first = round(start * rate) + done
            entered = enter_track(container, first)
            if entered is None:
                container = opened.enter_context(_container(place))
                entered = 0, container.demux(audio=0)
            entry, packets = entered
            frames = _gathered(_frames(container, packets, entry, name))
            yield from _behind(first - entry, frames, rate)
    except AudioError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(
            name, f"cannot be decoded ({reason}); is it sound, and complete?"
        ) from error


def _container(place: Path | BytesIO) -> av.container.InputContainer:
    if isinstance(place, BytesIO):
        place.seek(0)
    file = place if isinstance(place, BytesIO) else f"file:{place}"
    return av.open(file, mode="r", container_options=SAFE)


def _rate_of(container: av.container.InputContainer, name: str) -> int:
    if not container.streams.audio:
        raise ValueError("no sound track")
    rate = container.streams.audio[0].rate
    if not rate:
        raise ValueError("no sample rate")
    _check_rate(name, rate)
    return rate


def _frames(
    container: av.container.InputContainer, packets: Packets, entry: int, name: str
) -> Iterator[np.ndarray]:
    """Samples (S, channels) of each frame of the packets, which begin with sample `entry`.

    They are packed: of planar samples PyAV reads on behind the last of more than eight channels.
    """
    rate = container.streams.audio[0].rate
    resampler = av.AudioResampler(format="flt", rate=rate)
    times: list[float] = []
    for frame in chain(chain.from_iterable(packet.decode() for packet in packets), [None]):
        if frame is not None and frame.time is not None:  # there may be gaps between frames
            times = [*times[:1], frame.time, frame.time + frame.samples / rate]
        for part in resampler.resample(frame):
            yield part.to_ndarray().reshape(-1, part.layout.nb_channels)
    there = entry / rate + times[-1] - times[0] if times else 0.0
    announced = _announced_seconds(container)
    if times and announced > there + _TRACK_SLACK:
        raise CutOffError(name, cut_off_after(there, announced))


def _gathered(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Small frames as larger blocks; a track without any is refused."""
    waiting: list[np.ndarray] = []
    found = values = 0
    try:
        for frame in frames:
            waiting.append(frame)
            found, values = found + len(frame), values + frame.size
            if values >= _BLOCK:
                yield np.concatenate(waiting)
                waiting, values = [], 0
    except Exception:
        if waiting:
            yield np.concatenate(waiting)
        raise
    if waiting:
        yield np.concatenate(waiting)
    if not found:
        raise ValueError("no sound frames")


def about_seconds(path: Path) -> float:
    """How long a recording is, roughly and at once: for a progress bar; 0 where nothing says it."""
    try:
        with _container(path) as container:
            return _container_seconds(container)
    except (*_REFUSALS, LookupError, av.FFmpegError):  # what is wrong with it, decoding says
        return 0.0


def _announced_seconds(container: av.container.InputContainer) -> float:
    """How long the sound track is by its container; 0 where FFmpeg guesses it."""
    return _container_seconds(container) if container.format.name.startswith(_DECLARING) else 0.0


def _container_seconds(container: av.container.InputContainer) -> float:
    track = container.streams.audio[0]
    if track.duration is not None:
        return float(track.duration * (track.time_base or 0))
    alone = len(container.streams) == 1  # else it may be the picture's
    return (container.duration or 0) / av.time_base if alone else 0.0


def cut_off_after(there: float, announced: float) -> str:
    """How a file is called of which some seconds are missing."""
    return f"is cut off: it announces {announced:.1f} s, {there:.1f} s are there"


def _check_rate(name: str, rate: int) -> None:
    low, high = RATES
    if not low <= rate <= high:
        raise AudioError(
            name, f"is sampled at {rate} Hz; rates from {low} to {high} Hz are understood"
        )
