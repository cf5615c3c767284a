"""The model as a thing: built, saved, opened, described, and asked for scores.

The names are looked up on first use: they bring torch, and `storage/pretrained.py` must not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsdf.detector.detector import Detector
    from amsdf.detector.inference.scores import (
        ScoreSettings,
        embed_manifest,
        score_recording,
        score_rows,
    )
    from amsdf.detector.storage.loading import best_device, find_detector, open_detector

_HOME = {
    "Detector": "amsdf.detector.detector",
    "ScoreSettings": "amsdf.detector.inference.scores",
    "best_device": "amsdf.detector.storage.loading",
    "embed_manifest": "amsdf.detector.inference.scores",
    "find_detector": "amsdf.detector.storage.loading",
    "open_detector": "amsdf.detector.storage.loading",
    "score_recording": "amsdf.detector.inference.scores",
    "score_rows": "amsdf.detector.inference.scores",
}

__all__ = [
    "Detector",
    "ScoreSettings",
    "best_device",
    "embed_manifest",
    "find_detector",
    "open_detector",
    "score_recording",
    "score_rows",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'amsdf.detector' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
