"""`TrainingReference`: where in its embedding space a detector has been; `reference.safetensors`.

A detector gives a score to anything, music and noise included. How far an embedding is from those
of its training clips tells what it has no experience with. The distance is that of Mahalanobis in
the main directions of the training clips, and one more term for what lies outside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_row_parts
from amsdf.files import write_atomically

FILE = "reference.safetensors"
#: Main directions at most, and training clips for each of them at least.
_DIRECTIONS, _CLIPS_A_DIRECTION = 32, 10
#: Clips of which embeddings are taken at most: of training, and of dev.
MOST_CLIPS = 2000
#: Of the clips that set the threshold, this share is within it.
_WITHIN = 0.99
#: The threshold lies so many times as far: a few hundred clips do not show all that is usual, and
#: training clips are nearer to themselves than new ones are.
_MARGIN_OF_DEV, _MARGIN_OF_TRAINING = 1.25, 1.5
#: Deviations are at least this share of the largest one, so that no direction divides by nothing.
_LEAST = 1e-3


@dataclass(frozen=True)
class TrainingReference:
    """Mean (E,), main directions (K, E) and deviations along them (K,) of training embeddings.

    `residual` is the deviation outside the main directions. Beyond `threshold` a clip is unlike
    what the detector was trained on.
    """

    mean: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray
    residual: float
    threshold: float

    def distance(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings (T, E) -> how far they are from the training clips (T,); 1 is usual."""
        centred = np.asarray(embeddings, np.float64) - self.mean
        along = centred @ self.directions.T
        outside = centred - along @ self.directions
        terms = np.square(along / self.deviations).sum(axis=-1)
        terms = terms + np.square(outside).sum(axis=-1) / self.residual**2
        return np.sqrt(terms / (len(self.deviations) + 1))

    def is_beyond(self, distances: Sequence[float]) -> bool:
        """Whether most of the distances are beyond the threshold."""
        return bool(np.mean(np.asarray(distances) > self.threshold) > 0.5)

    def save(self, folder: Path) -> None:
        """Write it beside the weights that it belongs to."""
        arrays = {key: np.asarray(value, np.float64) for key, value in vars(self).items()}
        write_atomically(folder / FILE, lambda temporary: save_file(arrays, temporary))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """That of a detector folder; None where it has none."""
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            arrays = load_file(path)
            return cls(
                mean=arrays["mean"],
                directions=arrays["directions"],
                deviations=arrays["deviations"],
                residual=arrays["residual"].item(),
                threshold=arrays["threshold"].item(),
            )
        except (SafetensorError, KeyError, ValueError):
            raise ValueError(
                f"{path}: is not the reference of a detector; delete it, or train again"
            ) from None


def fit_reference(training: np.ndarray, dev: np.ndarray | None = None) -> TrainingReference:
    """From embeddings (T, E) of training clips, the threshold from those of dev clips (M, E)."""
    training = np.asarray(training, np.float64)
    mean = training.mean(axis=0)
    centred = training - mean
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    deviations = singular / np.sqrt(len(training))
    count = max(1, min(_DIRECTIONS, len(deviations) - 1, len(training) // _CLIPS_A_DIRECTION))
    least = max(_LEAST * float(deviations[0]), 1e-9)
    outside = np.sqrt(np.square(deviations[count:]).sum())
    found = TrainingReference(
        mean=mean,
        directions=directions[:count],
        deviations=np.maximum(deviations[:count], least),
        residual=max(float(outside), least),
        threshold=np.inf,
    )
    known, margin = (training, _MARGIN_OF_TRAINING) if dev is None else (dev, _MARGIN_OF_DEV)
    threshold = margin * float(np.quantile(found.distance(known), _WITHIN))
    return replace(found, threshold=threshold)


def store_reference(
    folder: Path,
    detector: Detector,
    train: Manifest,
    dev: Sequence[Manifest] = (),
    settings: ScoreSettings | None = None,
) -> None:
    """Fit the reference of a detector folder and write it there."""
    training = embed_parts(detector, train, settings)
    of_dev = [embed_parts(detector, manifest, settings) for manifest in dev]
    fit_reference(training, np.concatenate(of_dev) if of_dev else None).save(folder)


def embed_parts(
    detector: Detector, manifest: Manifest, settings: ScoreSettings | None = None
) -> np.ndarray:
    """Embeddings (T, E) of the parts of at most `MOST_CLIPS` clips, drawn with the run's seed.

    Clips that cannot be read are left out.
    """
    rng = np.random.default_rng(detector.experiment.seed)
    rows = np.sort(rng.permutation(len(manifest))[:MOST_CLIPS]).tolist()
    settings = settings or ScoreSettings(detector.experiment.train.eval_batch_size)
    found = [
        scored.embedding
        for complete, _ in score_row_parts(detector, manifest, rows, settings)
        for _, parts in complete
        for scored in parts
    ]
    if not found:
        raise ValueError(f"{manifest.name}: no clip can be read")
    return np.stack(found)
