"""AMSDF: multi-view audio-deepfake detection with pluggable encoders, heads and losses.

`from amsdf import Encoder, Head, Loss, Detector`. The names are looked up on first use: they bring
torch with them, and the command line must answer `--help` without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsdf.config import Experiment
    from amsdf.contracts import BONAFIDE, SAMPLE_RATE, SPOOF, Encoder, Head, Loss, ViewShape
    from amsdf.detector.detector import Detector


__version__ = "0.1.0"

_HOME = {
    "BONAFIDE": "amsdf.contracts",
    "SPOOF": "amsdf.contracts",
    "SAMPLE_RATE": "amsdf.contracts",
    "Encoder": "amsdf.contracts",
    "Head": "amsdf.contracts",
    "Loss": "amsdf.contracts",
    "ViewShape": "amsdf.contracts",
    "Detector": "amsdf.detector.detector",
    "load": "amsdf.scoring.judge",
    "Experiment": "amsdf.config",
}

__all__ = [
    "BONAFIDE",
    "SAMPLE_RATE",
    "SPOOF",
    "Detector",
    "Encoder",
    "Experiment",
    "Head",
    "Loss",
    "ViewShape",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'amsdf' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
