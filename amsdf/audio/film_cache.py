"""Sound tracks of films, decoded once: a corpus of mp4 files is read again in every epoch.

Tracks are 24-bit FLAC at 16 kHz in `cache/sound` or below `$AMSDF_CACHE`, named by the film's
path, size and time. `AMSDF_CACHE=off`, or a place that takes no files, decodes anew each time.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import soundfile

from amsdf.audio.reading import read_audio
from amsdf.audio.sources import FILMS
from amsdf.conventions import SAMPLE_RATE
from amsdf.files import write_atomically


def read_clip(path: str, start: float | None = None, end: float | None = None) -> np.ndarray:
    """`read_audio`, through the cache when `path` is a film -> (S,) float32 at 16 kHz."""
    return read_audio(sound_of(path), start, end)


def sound_of(path: str) -> Path:
    """Where the sound of a recording is read: the cached track of a film, else the file itself."""
    film = Path(path)
    place = os.environ.get("AMSDF_CACHE", "cache")
    if film.suffix.lower() not in FILMS or place == "off" or not film.is_file():
        return film
    track = Path(place) / "sound" / f"{_identity(film)}.flac"
    if not track.is_file():
        waveform = read_audio(film)
        try:
            write_atomically(track, lambda temporary: _write(temporary, waveform))
        except OSError:  # a read-only folder, a full disk: slower, and no reason to stop
            return film
    return track


def _identity(film: Path) -> str:
    state = film.stat()
    words = f"{film.absolute()}|{state.st_size}|{state.st_mtime_ns}"
    return hashlib.sha256(words.encode()).hexdigest()[:24]


def _write(path: Path, waveform: np.ndarray) -> None:
    soundfile.write(path, waveform.clip(-1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_24")
