"""From files to waveforms to features: reading, resampling, padding, and making speech."""

from amsdf.audio.cropping import fit
from amsdf.audio.film_cache import read_clip
from amsdf.audio.reading import (
    AudioStream,
    check_waveform,
    read_audio,
    resample,
    stream_audio,
    waveform_of,
)
from amsdf.audio.sources import AudioError, Source

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
