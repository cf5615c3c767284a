"""`amsdf score --explain`: what each view contributed, and where in time it was listened to."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.detector import Detector

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


def require_explainable(detector: Detector) -> None:
    """Refuse a head that explains nothing, before any work is done."""
    if not hasattr(detector.head, "explain"):
        name = detector.experiment.head.name
        raise ValueError(f"--explain: head {name!r} explains nothing; graph-fusion does")


def explain(detector: Detector, clip: np.ndarray) -> list[str]:
    """Per view of a clip (S,): how far the score moves without it, and its attention over time."""
    explain_head: Any = detector.head.explain
    with torch.inference_mode():
        views, masks = detector.views(torch.from_numpy(clip)[None].to(detector.device))
        found = explain_head(views, masks)
        whole = detector.loss.score(found["embedding"])
        moved = {
            name: float(detector.loss.score(embedding) - whole)
            for name, embedding in found["occluded"].items()
        }
    width = max(len(name) for name in moved)
    seconds = len(clip) / SAMPLE_RATE
    return [
        f"  {name:<{width}}  score {change:+.4f} without it; attention over {seconds:.1f} s "
        f"|{sparkline(found['attention'][name][0])}|"
        for name, change in moved.items()
    ]


def sparkline(values: Tensor) -> str:
    """Values (N,) as at most 40 bars, the highest one full."""
    parts = np.array_split(values.float().cpu().numpy(), min(_WIDTH, len(values)))
    heights = np.array([part.max() for part in parts])
    top = heights.max() or 1.0
    return "".join(_BARS[int(height / top * (len(_BARS) - 1))] for height in heights.clip(min=0))
