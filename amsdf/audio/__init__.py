"""From files to waveforms to features: reading, resampling, padding, and making speech."""

from amsdf.audio.cropping import fit
from amsdf.audio.files.film_cache import read_clip
from amsdf.audio.files.reading import (
    AudioStream,
    check_waveform,
    read_audio,
    resample,
    stream_audio,
    waveform_of,
)
from amsdf.audio.files.sources import AudioError, Source

__all__ = [
    "AudioError",
    "AudioStream",
    "Source",
    "check_waveform",
    "fit",
    "read_audio",
    "read_clip",
    "resample",
    "stream_audio",
    "waveform_of",
]
