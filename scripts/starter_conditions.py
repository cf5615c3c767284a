"""What training does to clips of the starter, and the everyday conditions that it is tried in."""

from collections.abc import Mapping
from typing import Any

from amsdf import registry
from amsdf.data.augmentations.contract import Augmentation

CODECS = ["mp3", "aac", "opus", "vorbis", "alaw", "mulaw", "g722", "amr"]
#: A room, noise, a bad channel, a narrow band, a codec, overdrive: each for some of the clips.
AUGMENTATION: dict[str, Any] = {
    "name": "chain",
    "of": [
        {"name": "reverb", "p": 0.3},
        {"name": "noise", "colour": "any", "snr_db": [8, 35], "p": 0.5},
        {"name": "rawboost", "algorithm": [1, 2, 3, 4, 5], "p": 0.2},
        {
            "name": "one-of",
            "of": [
                {"name": "band"},
                {"name": "band", "rates": [8000, 11025, 12000], "band_hz": None},
                {"name": "band", "rates": [], "band_hz": [80, 5000]},
            ],
            "p": 0.25,
        },
        {"name": "codec", "codecs": CODECS, "p": 0.45},
        {"name": "clip", "share": [0.0005, 0.01], "p": 0.08},
    ],
}
CONDITIONS: dict[str, dict[str, Any]] = {
    "mp3": {"name": "codec", "codecs": ["mp3"], "kbps": [32, 64]},
    "opus": {"name": "codec", "codecs": ["opus"], "kbps": [12, 24]},
    "aac": {"name": "codec", "codecs": ["aac"], "kbps": [32, 64]},
    "phone": {
        "name": "chain",
        "of": [{"name": "band"}, {"name": "codec", "codecs": ["alaw", "mulaw"]}],
    },
    "noise": {"name": "noise", "colour": "any", "snr_db": [10, 20]},
    "room": {"name": "reverb", "rt60": [0.3, 0.6], "direct_db": [0, 6]},
    "far": {
        "name": "chain",
        "of": [
            {"name": "reverb", "rt60": [0.4, 0.8], "direct_db": [-3, 3]},
            {"name": "noise", "colour": "pink", "snr_db": [12, 20]},
            {"name": "codec", "codecs": ["aac"]},
        ],
    },
    "loud": {
        "name": "chain",
        "of": [
            {"name": "gain", "gain_db": [6, 12]},
            {"name": "clip", "share": [0.001, 0.01]},
        ],
    },
}


def prepared(description: Mapping[str, Any]) -> Augmentation:
    """An augmentation, ready to be used."""
    arguments = {key: value for key, value in description.items() if key != "name"}
    augmentation: Augmentation = registry.build("augmentations", description["name"], **arguments)
    augmentation.prepare({})
    return augmentation
