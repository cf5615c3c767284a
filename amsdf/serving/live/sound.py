"""Where live sound comes from: a pipe, a file that grows, a microphone; blocks at their own rate.

What FFmpeg can demux while it comes is decoded by PyAV. Samples without a header are read as they
are (`--raw`).
"""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import av
import numpy as np

from amsdf.audio import AudioError
from amsdf.audio.files.decoding import RATES, SAFE, Block

#: Bytes that are asked for at once: a quarter of a second at 16 kHz, two bytes a sample.
_CHUNK = 8192
#: FFmpeg looks at no more than this before it gives sound.
_PROBE = {"probesize": "32768", "analyzeduration": "500000"}
#: Types of samples without a header, and what they are divided by.
RAW_TYPES = {"s16le": ("<i2", 32768.0), "s32le": ("<i4", 2147483648.0), "f32le": ("<f4", 1.0)}
#: How often a file is looked at that has not grown.
_LOOK = 0.1
#: FFmpeg's devices for microphones, and the one that is taken.
_DEVICES = {
    "Linux": (("pulse", "default"), ("alsa", "default")),
    "Darwin": (("avfoundation", ":0"),),
    "Windows": (("dshow", "audio=default"),),
}

#: Where systems keep what ALSA needs: wheels of PyAV look for it in a folder of their makers.
_ALSA = {
    "ALSA_CONFIG_DIR": ("/usr/share/alsa",),
    "ALSA_PLUGIN_DIR": (
        f"/usr/lib/{platform.machine()}-linux-gnu/alsa-lib",
        "/usr/lib64/alsa-lib",
        "/usr/lib/alsa-lib",
    ),
}


class Bytes(Protocol):
    """Bytes that may come slowly: `read` gives some as soon as there are any, none at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""


@dataclass(frozen=True)
class RawFormat:
    """Samples without a header: `s16le:16000`, or with channels `f32le:48000:2`."""

    kind: str
    rate: int
    channels: int = 1

    @classmethod
    def parse(cls, text: str) -> "RawFormat":
        """From TYPE:RATE or TYPE:RATE:CHANNELS."""
        kind, *numbers = text.split(":")
        known = kind in RAW_TYPES and 1 <= len(numbers) <= 2 and all(map(str.isdecimal, numbers))
        if not known:
            raise ValueError(
                f"raw format {text!r}: give TYPE:RATE or TYPE:RATE:CHANNELS, such as s16le:16000; "
                f"types: {', '.join(RAW_TYPES)}"
            )
        found = cls(kind, *map(int, numbers))
        if not RATES[0] <= found.rate <= RATES[1] or not 1 <= found.channels <= 64:
            raise ValueError(f"raw format {text!r}: give a rate in hertz and 1 to 64 channels")
        return found


def raw_blocks(file: Bytes, form: RawFormat) -> Iterator[Block]:
    """Samples without a header; of a sample that is not whole at the end nothing is kept."""
    kind, full = RAW_TYPES[form.kind]
    size = np.dtype(kind).itemsize * form.channels
    held = b""
    while chunk := file.read(_CHUNK):
        held += chunk
        whole = len(held) - len(held) % size
        samples = np.frombuffer(held[:whole], kind).astype(np.float32) / np.float32(full)
        held = held[whole:]
        if len(samples):
            yield samples.reshape(-1, form.channels), form.rate


def demuxed_blocks(file: Bytes, name: str) -> Iterator[Block]:
    """What FFmpeg finds in the bytes, while they come; a broken piece is passed over."""
    options = SAFE | _PROBE
    if isinstance(file, GrowingFile):
        options |= {"ignore_length": "1"}  # the header of a WAV file says how long it was
    try:
        with av.open(file, mode="r", container_options=options) as container:
            yield from _decoded(container)
    except av.FFmpegError as error:
        hint = "" if hasattr(file, "seek") else " MP4 can be read from a whole file only."
        raise AudioError(name, f"cannot be read ({error.strerror}); is it sound?{hint}") from None


def microphone_blocks(device: str | None = None) -> Iterator[Block]:
    """The microphone; `device` is FFmpeg's, as `alsa:hw:1`."""
    kind, _, place = (device or "").partition(":")
    tried = ((kind, place),) if device else _DEVICES.get(platform.system(), ())
    for kind, place in tried:
        if kind not in av.formats_available:
            continue
        if kind == "alsa":
            _show_alsa_its_files()
        try:
            container = av.open(place, format=kind, mode="r")
        except (av.FFmpegError, OSError):
            continue
        try:
            with container:
                yield from _decoded(container)
        except (av.FFmpegError, OSError) as error:
            raise AudioError(f"{kind}:{place}", f"gives no more sound ({error.strerror})") from None
        return
    wanted = device or " or ".join(":".join(each) for each in tried) or platform.system()
    raise ValueError(
        f"no microphone can be opened ({wanted}); name one with --input (`alsa:hw:1`), or pipe its "
        "sound: parec --format=s16le --rate=16000 --channels=1 | amsdf live - --raw s16le:16000"
    )


def _show_alsa_its_files() -> None:
    for name, places in _ALSA.items():
        there = next(filter(os.path.exists, places), None)
        if there:
            os.environ.setdefault(name, there)


class GrowingFile:
    """A file that is read to its end, and on while it grows; it ends after `idle` idle seconds."""

    def __init__(self, file: BinaryIO, idle: float):
        self._file, self._idle = file, idle

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, once there are any."""
        waited = 0.0
        while not (found := self._file.read(size)) and waited < self._idle:
            time.sleep(_LOOK)
            waited += _LOOK
        return found


class Pipe:
    """Standard input, unbuffered: what is there is given at once."""

    def __init__(self, file: BinaryIO):
        self._file = getattr(file, "raw", file)

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, once there are any."""
        return self._file.read(size) or b""


def open_source(place: str, follow: bool, idle: float, stdin: BinaryIO) -> Bytes:
    """`-`: standard input; else a file, which may grow."""
    if place == "-":
        return Pipe(stdin)
    path = Path(place)
    if not path.is_file():
        raise AudioError(place, "is a folder, not a recording" if path.is_dir() else "no such file")
    file = path.open("rb")
    return GrowingFile(file, idle) if follow else file


def _decoded(container: av.container.InputContainer) -> Iterator[Block]:
    if not container.streams.audio:
        raise AudioError("the stream", "has no sound track")
    resampler: av.AudioResampler | None = None
    rate = 0
    for packet in container.demux(audio=0):
        with suppress(av.InvalidDataError):
            for frame in packet.decode():
                if resampler is None or frame.sample_rate != rate:
                    rate = frame.sample_rate
                    resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=rate)
                for part in resampler.resample(frame):
                    yield part.to_ndarray().reshape(-1, part.layout.nb_channels), rate
