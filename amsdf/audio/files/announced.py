"""How long a file says it is: a download that broke off announces more than is there.

Of wav, aiff, au and caf the announced size of the samples counts, of flac and mp3 their announced
number, of ogg the mark at its end. Of what FFmpeg alone reads the decoder compares durations.
"""

from contextlib import nullcontext
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from amsdf.audio.files.decoding import cut_off_after

#: A wav of this size or more went through a pipe: its length was not known.
_UNKNOWN = 0x7FFF0000
#: Bytes that a size may be wrong by: padding, or the head of a chunk.
_BYTES_SLACK = 8
#: Mpeg frames that a decoder drops: what the encoder put before and behind the sound.
_MP3_SLACK = 4
#: An ogg page is at most this long.
_OGG_PAGE = 65_307


class _Chunks(NamedTuple):
    """A container of chunks, each with an id of four letters and a size."""

    kind: bytes
    first: int
    data: bytes
    size_bytes: int
    order: Literal["big", "little"]


#: First four letters, and what follows the size.
_CHUNKED = {
    b"RIFF": _Chunks(b"WAVE", 12, b"data", 4, "little"),
    b"FORM": _Chunks(b"AIF", 12, b"SSND", 4, "big"),
    b"caff": _Chunks(b"", 8, b"data", 8, "big"),
}


def what_is_missing(place: Path | BytesIO, seconds: float) -> str:
    """What a file lacks of which `seconds` were decoded, in words; empty where all is there."""
    opened = place.open("rb") if isinstance(place, Path) else nullcontext(place)
    with opened as file:
        file.seek(0)
        head = file.read(40)
        if head.startswith(b"OggS"):
            return "" if _has_end_mark(file) else "is cut off: the mark at its end is missing"
        announced, slack = _announced(file, head, seconds)
    return "" if announced <= seconds + slack else cut_off_after(seconds, announced)


def _announced(file: BinaryIO, head: bytes, seconds: float) -> tuple[float, float]:
    """Seconds, and how many of them may be missing; none where the file does not say."""
    if head.startswith(b"fLaC"):
        rate, samples = int.from_bytes(head[18:21], "big") >> 4, int.from_bytes(head[21:26], "big")
        return (samples % (1 << 36) / rate, 1 / rate) if rate else (0.0, 0.0)
    form = _CHUNKED.get(head[:4])
    if form and head[8:].startswith(form.kind):
        return seconds * _times_more(file, *_sound_chunk(file, form)), 0.0
    if head.startswith(b".snd"):
        start, size = (int.from_bytes(head[at : at + 4], "big") for at in (4, 8))
        return seconds * _times_more(file, start, size), 0.0
    if head.startswith(b"ID3") or _is_mpeg(head):
        return _mp3_seconds(file, head)
    return 0.0, 0.0


def _times_more(file: BinaryIO, start: int, size: int) -> float:
    """How many times the bytes behind `start` their announced `size` is."""
    there = file.seek(0, SEEK_END) - start
    if size >= _UNKNOWN or size <= there + _BYTES_SLACK or there <= 0:
        return 1.0
    return size / there


def _sound_chunk(file: BinaryIO, form: _Chunks) -> tuple[int, int]:
    """Where the samples begin, and their announced size; (0, 0) where there are none."""
    at, end = form.first, file.seek(0, SEEK_END)
    while at < end:
        file.seek(at)
        head = file.read(4 + form.size_bytes)
        size = int.from_bytes(head[4:], form.order)
        at += len(head)
        if head.startswith(form.data):
            return at, size
        at += size + (size % 2 if form.size_bytes == 4 else 0)
    return 0, 0


def _has_end_mark(file: BinaryIO) -> bool:
    """Whether the last page of an ogg stream is whole and says that it is the last."""
    size = file.seek(0, SEEK_END)
    file.seek(max(0, size - _OGG_PAGE))
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27:
        return False
    lengths = page[27 : 27 + page[26]]
    is_whole = len(page) >= 27 + page[26] + sum(lengths)
    return is_whole and bool(page[5] & 4)


def _is_mpeg(head: bytes) -> bool:
    """Whether this begins a frame of mpeg layer 3."""
    return len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2


def _mp3_seconds(file: BinaryIO, head: bytes) -> tuple[float, float]:
    """From the number of frames that the first one announces; 0 without it."""
    start = 0
    if head.startswith(b"ID3"):  # its size has seven bits a byte
        start = 10 + sum(byte << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
    file.seek(start)
    frame = file.read(200)
    if not _is_mpeg(frame):
        return 0.0, 0.0
    is_mpeg1, is_mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    rate = (44_100, 48_000, 32_000, 0)[frame[2] >> 2 & 3] >> (2, 0, 1, 0)[frame[1] >> 3 & 3]
    tag = 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))
    if frame[tag : tag + 4] in (b"Xing", b"Info") and frame[tag + 7] & 1:
        frames = int.from_bytes(frame[tag + 8 : tag + 12], "big")
    elif frame[36:40] == b"VBRI":
        frames = int.from_bytes(frame[50:54], "big")
    else:
        return 0.0, 0.0
    each = (1152 if is_mpeg1 else 576) / rate if rate else 0.0
    return frames * each, _MP3_SLACK * each
