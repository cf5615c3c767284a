"""Whether a graph gives what its detector gives: the largest difference on made-up clips."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from amsdf.conventions import SAMPLE_RATE
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_batch
from amsdf.serving.export.graph import INPUT

#: Largest difference of a score; of a score above 1, this share of it.
TOLERANCE = 1e-4
#: The same for embeddings, which only tell how far a recording is from those of the training.
_OF_EMBEDDINGS = 1e-3
#: Clips in a batch, and the samples of whole utterances: some encoders take 30 s at a time.
_BATCHES = (2, 5, 1)
_LENGTHS = (20_011, 31_990, 520_000)


@dataclass(frozen=True)
class Parity:
    """The largest differences found; of what is above 1, as a share of it."""

    score: float
    embedding: float
    clips: int


def parity_of(name: str, detector: Detector, session: InferenceSession) -> Parity:
    """Compare on batches of several sizes and, where it is free, lengths."""
    scores, embeddings, count = [0.0], [0.0], 0
    for clips in _probes(detector.experiment.clip.samples):
        wanted, points = score_batch(detector, torch.from_numpy(clips), None, ScoreSettings())
        found, found_points = _run(name, session, clips)
        scores.append(_difference(np.asarray(wanted), found))
        embeddings.append(_difference(points, found_points))
        count += len(clips)
    return Parity(max(scores), max(embeddings), count)


def _run(name: str, session: InferenceSession, clips: NDArray[np.float32]) -> list[np.ndarray]:
    try:
        return session.run(None, {INPUT: clips})
    except (Fail, InvalidArgument, RuntimeException) as error:
        shape = " clips of ".join(map(str, clips.shape))
        reason = str(error).splitlines()[0][:160]
        raise ValueError(f"{name}: the exported graph fails on {shape} samples: {reason}") from None


def require_parity(name: str, found: Parity) -> None:
    """Refuse a graph that gives other numbers."""
    if not (found.score <= TOLERANCE and found.embedding <= _OF_EMBEDDINGS):
        raise ValueError(
            f"{name}: the exported graph gives other numbers: scores differ by {found.score:.1e}, "
            f"embeddings by {found.embedding:.1e}; at most {TOLERANCE:g} and {_OF_EMBEDDINGS:g} "
            "are allowed"
        )


def _difference(wanted: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    if wanted.shape != found.shape:
        return float("inf")
    return float((np.abs(wanted - found) / np.maximum(1, np.abs(wanted))).max())


def _probes(samples: int | None) -> Iterator[NDArray[np.float32]]:
    """Batches (B, S)."""
    lengths = (samples,) * len(_BATCHES) if samples else _LENGTHS
    for batch, length in zip(_BATCHES, lengths, strict=True):
        yield np.stack([_probe(length, seed) for seed in range(batch)])


def _probe(samples: int, seed: int) -> NDArray[np.float32]:
    """A gliding voice-like tone with noise and a pause (S,), at a level of its own."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / SAMPLE_RATE
    phase = 2 * np.pi * (110 + 40 * seed) * (time + 0.1 * np.sin(2 * time))
    voice = sum(np.sin(order * phase) / order for order in range(1, 20))
    loud = np.clip(np.sin(2 * np.pi * 1.3 * time + seed) + 0.6, 0, None)
    sound = loud * (voice + 0.3 * rng.standard_normal(samples))
    return (10 ** rng.uniform(-2, -0.7) * sound + 1e-4 * rng.standard_normal(samples)).astype(
        np.float32
    )
