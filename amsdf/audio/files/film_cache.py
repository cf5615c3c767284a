"""Sound that is slow to reach, decoded once: of films, and of files that no part is read from.

A corpus of mp4 files is read again in every epoch; of an hour of Opus with 900 segments each would
be decoded from the beginning. Tracks are 24-bit FLAC at 16 kHz in `cache/sound` or below
`$AMSDF_CACHE`, named by the file's path, size and time. `AMSDF_CACHE=off`, or a place that takes
no files, decodes anew each time.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import soundfile

from amsdf.audio.files.reading import read_audio, stream_audio
from amsdf.audio.files.sources import FILMS, FOLLOWED, AudioError
from amsdf.conventions import SAMPLE_RATE
from amsdf.files import write_atomically


def read_clip(path: str, start: float | None = None, end: float | None = None) -> np.ndarray:
    """`read_audio`, through the cache where that is quicker -> (S,) float32 at 16 kHz."""
    try:
        return read_audio(sound_of(path, start), start, end)
    except AudioError as error:  # not by the name of a track
        raise AudioError(path, error.reason) from None


def sound_of(path: str, start: float | None = None) -> Path:
    """Where a recording is read, from `start` seconds on: a track in the cache, or the file."""
    file = Path(path)
    place = os.environ.get("AMSDF_CACHE", "cache")
    slow = FOLLOWED if start else FILMS
    if file.suffix.lower() not in slow or place == "off" or not file.is_file():
        return file
    track = Path(place) / "sound" / f"{_identity(file)}.flac"
    if not track.is_file():
        try:
            write_atomically(track, lambda temporary: _write(temporary, file))
        except (OSError, AudioError):  # a full disk: slower; what is broken says so when it is read
            return file
    return track


def _identity(film: Path) -> str:
    state = film.stat()
    words = f"{film.absolute()}|{state.st_size}|{state.st_mtime_ns}"
    return hashlib.sha256(words.encode()).hexdigest()[:24]


def _write(track: Path, file: Path) -> None:
    with soundfile.SoundFile(
        track, "w", SAMPLE_RATE, channels=1, format="FLAC", subtype="PCM_24"
    ) as written:
        for block in stream_audio(file).complete():
            written.write(block.clip(-1, 1))
