"""The windows of a long recording, and their scores."""

import numpy as np
import torch

from amsdf.audio import fit
from amsdf.config import Clip
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.detector import Detector
from amsdf.detector.inference import score_batch
from amsdf.scoring.verdict import Window


def cut_windows(waveform: np.ndarray, clip: Clip) -> tuple[list[int], np.ndarray]:
    """Waveform (S,) -> first samples of the windows, and windows (W, clip.samples).

    Windows overlap by half, and the last one ends with the recording. A recording of one clip or
    less, and any recording of a detector of whole utterances, is one window.
    """
    samples = clip.samples
    if samples is None or len(waveform) <= samples:
        return [0], fit(waveform, clip, samples)[None]
    last = len(waveform) - samples
    starts = [*range(0, last, samples // 2), last]
    return starts, np.stack([waveform[start : start + samples] for start in starts])


def score_windows(
    detector: Detector,
    waveform: np.ndarray,
    batch_size: int = 32,
    precision: str = "fp32",
    score_rule: str = "default",
) -> tuple[Window, ...]:
    """Every window of a waveform (S,) at 16 kHz, scored."""
    starts, clips = cut_windows(waveform, detector.experiment.clip)
    scores: list[float] = []
    for first in range(0, len(clips), batch_size):
        batch = torch.from_numpy(clips[first : first + batch_size]).to(detector.device)
        scores += score_batch(detector, batch, None, precision, score_rule)

    length = min(len(waveform), clips.shape[1])
    return tuple(
        Window(start / SAMPLE_RATE, (start + length) / SAMPLE_RATE, score)
        for start, score in zip(starts, scores, strict=True)
    )
