"""Entering a recording so that a part of it is decoded without what is before it, and is the same.

Samples of some kinds stand alone; others depend on the packets before, so decoding begins earlier.
Of coders that go on from all sound before (Opus, HE-AAC) no part is entered. AAC may put in noise
of its own (PNS, at low bit rates), drawn from where decoding begins: that noise differs.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

import av
import soundfile

#: Kinds of samples by libsndfile of which a file is entered anywhere.
_ALONE = ("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW", "VORBIS")
#: Its parts are left to FFmpeg: mpg123 writes to the standard error of whoever enters a file.
LEFT_TO_FFMPEG = "MPEG_LAYER_III"
#: FFmpeg's containers and coders, and how many seconds before a part decoding begins.
_EARLIER = {
    ("flac", "flac"): 0.0,
    ("mp3", "mp3"): 1.0,
    ("mov", "alac"): 0.0,
    ("mov", "flac"): 0.0,
    ("mov", "aac"): 1.0,
}
#: Their times are numbers of samples that were counted from the beginning, so there are no gaps.
_COUNTED = ("flac", "mp3")


def enter_file(file: soundfile.SoundFile, first: int) -> int:
    """Go to where sample `first` is decoded from, and return which sample that is."""
    if not first or not file.seekable() or not file.subtype.startswith(_ALONE):
        return 0
    return file.seek(min(first, file.frames))


Packets = Iterator["av.Packet[av.AudioStream]"]
#: The sample that decoding begins with, and the packets from there on.
Entered = tuple[int, Packets]


def enter_track(container: av.container.InputContainer, first: int) -> Entered | None:
    """Go to a packet from which sample `first` is decoded rightly; None: open it again and do not.

    That is where the time of a packet does not say which sample it begins with.
    """
    track = container.streams.audio[0]
    packets = container.demux(track)
    earlier = _seconds_earlier(container)
    if earlier is None or first <= 2 * earlier * track.rate:
        return 0, packets
    head = next(packets)
    frames = head.decode()
    while not frames:
        frames = next(packets).decode()
    begin, size = frames[0].pts, track.codec_context.frame_size or frames[0].samples
    ticks = Fraction(1, track.rate) / (track.time_base or 1)  # of a sample
    if begin is None or head.pts is None or ticks.denominator != 1:
        return None

    target = begin + int((first - round(earlier * track.rate)) * ticks)
    container.seek(target, stream=track)
    packets = container.demux(track)
    found = next(packets)
    if found.pts is None or not begin < found.pts <= target:
        return None
    is_counted = container.format.name in _COUNTED
    before = track.index_entries.search_timestamp(found.dts or 0)  # packets
    if not is_counted and (found.pts - head.pts) / ticks != before * size:
        return None
    entry = (found.pts - begin) / ticks
    return (int(entry), chain([found], packets)) if entry.denominator == 1 else None


def _seconds_earlier(container: av.container.InputContainer) -> float | None:
    coder = container.streams.audio[0].codec_context
    if coder.name == "aac" and coder.profile != "LC":
        return None
    name = container.format.name.split(",")[0]
    return _EARLIER.get((name, coder.name.removesuffix("float")))
