"""What an exported file knows beside its graph: all that turns scores into an answer."""

import base64
import json
import platform
from typing import Any

import numpy as np
import torch

from amsdf import __version__
from amsdf.conventions import SAMPLE_RATE
from amsdf.scoring.judging.judge import Judge
from amsdf.scoring.reference import TrainingReference
from amsdf.serving.export.graph import has_free_length

#: The key in the file's metadata.
KEY = "amsdf"
#: Changes when a runtime must change with it.
FORMAT = 1


def contents_of(judge: Judge) -> dict[str, Any]:
    """Everything but the graph, ready for JSON."""
    experiment, facts = judge.detector.experiment, judge.facts
    clip, rule = experiment.clip, experiment.score
    calibration = judge.calibration
    return {
        "format": FORMAT,
        "name": facts.name,
        "trained_on": list(facts.trained_on),
        "sample_rate": SAMPLE_RATE,
        "polarity": "higher is more bona fide",
        "length": "free" if has_free_length(judge.detector) else "fixed",
        "clip": {"samples": clip.samples, "short": clip.short, "eval_crop": clip.eval_crop},
        "score": {
            "parts": rule.parts,
            "hop": rule.hop,
            "pool": rule.pool,
            "quantile": rule.quantile,
        },
        "calibration": None if calibration is None else json.loads(calibration.to_json()),
        "reference": None if judge.reference is None else _reference(judge.reference),
        "digest": judge.detector.digest(),
        "versions": {
            "amsdf": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "int8": None,
    }


def _reference(reference: TrainingReference) -> dict[str, Any]:
    """Arrays as base64 of little-endian float64, with their shapes."""
    return {
        **{name: _array(getattr(reference, name)) for name in ("mean", "directions", "deviations")},
        "residual": float(reference.residual),
        "threshold": float(reference.threshold),
    }


def _array(values: np.ndarray) -> dict[str, Any]:
    content = np.ascontiguousarray(values, "<f8")
    return {"shape": list(content.shape), "base64": base64.b64encode(content.tobytes()).decode()}
