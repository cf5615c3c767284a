"""Why a clip has its score: what each view contributes, and where in time it is listened to."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.detector import Detector
from amsdf.detector.windows import cut


@dataclass(frozen=True)
class ViewEvidence:
    """One view: how far the score moves without it, and its attention (N,) over `seconds`."""

    view: str
    change: float
    attention: np.ndarray
    seconds: float


def require_explainable(detector: Detector) -> None:
    """Refuse a head that explains nothing, before any work is done."""
    if not hasattr(detector.head, "explain"):
        name = detector.experiment.head.name
        raise ValueError(f"--explain: head {name!r} explains nothing; graph-fusion does")


@torch.inference_mode()
def explain(detector: Detector, clip: np.ndarray) -> list[ViewEvidence]:
    """The evidence of each view in a clip (S,)."""
    detector.eval()
    explain_head: Any = detector.head.explain
    views, masks = detector.views(torch.from_numpy(clip)[None].to(detector.device))
    found = explain_head(views, masks)
    score = detector.loss.score(found["embedding"])
    return [
        ViewEvidence(
            name,
            float(detector.loss.score(embedding) - score),
            found["attention"][name][0].float().cpu().numpy(),
            len(clip) / SAMPLE_RATE,
        )
        for name, embedding in found["occluded"].items()
    ]


def explain_window(detector: Detector, waveform: np.ndarray, window: int) -> list[ViewEvidence]:
    """The evidence in one window of a waveform (S,), counted from 0."""
    parts = cut([waveform], detector.experiment)
    return explain(detector, next(islice(parts, window, None)).waveform)
