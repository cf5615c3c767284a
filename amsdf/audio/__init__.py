"""From files to waveforms to features: reading, resampling, padding, and making speech."""

from amsdf.audio.cropping import fit
from amsdf.audio.film_cache import read_clip
from amsdf.audio.reading import (
    AudioError,
    Source,
    check_waveform,
    read_audio,
    resample,
    waveform_of,
)

__all__ = [
    "AudioError",
    "Source",
    "check_waveform",
    "fit",
    "read_audio",
    "read_clip",
    "resample",
    "waveform_of",
]
