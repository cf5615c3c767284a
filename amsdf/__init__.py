"""AMSDF: multi-view audio-deepfake detection with pluggable encoders, heads and losses.

    judge = amsdf.load("runs/mine")       # a run or detector folder, a published file, a name
    verdict = judge("call.m4a")           # decision, probability, windows, warnings

The names are looked up on first use: most of them bring torch with them, and a command that needs
none of them must answer at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsdf import metrics
    from amsdf.config import Experiment
    from amsdf.config.catalogue import (
        list_augmentations,
        list_corpora,
        list_encoders,
        list_heads,
        list_losses,
        list_recipes,
    )
    from amsdf.config.overrides import Overrides
    from amsdf.contracts import Encoder, Head, Loss, ViewShape
    from amsdf.conventions import BONAFIDE, SAMPLE_RATE, SPOOF
    from amsdf.data.manifest import Manifest
    from amsdf.detector.detector import Detector
    from amsdf.evaluation.cross_evaluation import evaluate
    from amsdf.scoring.calibration.calibrated_training import train_detector as train
    from amsdf.scoring.judging.judge import Judge, load
    from amsdf.scoring.judging.verdict import Verdict
    from amsdf.scoring.spoof_score import SpeechSpoofScore

__version__ = "0.1.0"

#: Public name -> module that has it, and its name there where that is another one.
_HOME = {
    "BONAFIDE": "amsdf.conventions",
    "Detector": "amsdf.detector.detector",
    "Encoder": "amsdf.contracts",
    "Experiment": "amsdf.config",
    "Head": "amsdf.contracts",
    "Judge": "amsdf.scoring.judging.judge",
    "Loss": "amsdf.contracts",
    "Manifest": "amsdf.data.manifest",
    "Overrides": "amsdf.config.overrides",
    "SAMPLE_RATE": "amsdf.conventions",
    "SPOOF": "amsdf.conventions",
    "SpeechSpoofScore": "amsdf.scoring.spoof_score",
    "Verdict": "amsdf.scoring.judging.verdict",
    "ViewShape": "amsdf.contracts",
    "evaluate": "amsdf.evaluation.cross_evaluation",
    "list_augmentations": "amsdf.config.catalogue",
    "list_corpora": "amsdf.config.catalogue",
    "list_encoders": "amsdf.config.catalogue",
    "list_heads": "amsdf.config.catalogue",
    "list_losses": "amsdf.config.catalogue",
    "list_recipes": "amsdf.config.catalogue",
    "load": "amsdf.scoring.judging.judge",
    "train": "amsdf.scoring.calibration.calibrated_training:train_detector",
}

__all__ = [
    "BONAFIDE",
    "SAMPLE_RATE",
    "SPOOF",
    "Detector",
    "Encoder",
    "Experiment",
    "Head",
    "Judge",
    "Loss",
    "Manifest",
    "Overrides",
    "SpeechSpoofScore",
    "Verdict",
    "ViewShape",
    "__version__",
    "evaluate",
    "list_augmentations",
    "list_corpora",
    "list_encoders",
    "list_heads",
    "list_losses",
    "list_recipes",
    "load",
    "metrics",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("amsdf.metrics")
    if name not in _HOME:
        raise AttributeError(f"module 'amsdf' has no attribute {name!r}")
    module, _, inside = _HOME[name].partition(":")
    return getattr(import_module(module), inside or name)


def __dir__() -> list[str]:
    return sorted(__all__)
