"""Dev EER during training: one number from one or several corpora, the same on many processes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amsdf.data.manifest import Manifest
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows
from amsdf.metrics import eer
from amsdf.training.processes import fail_together, gather, this_process


@dataclass(frozen=True)
class DevResult:
    """EER of each dev corpus, and the one number that selects the epoch."""

    eers: dict[str, float]
    selected: float


def is_as_good(eer: float, earlier: float) -> bool:
    """Whether a dev EER beats an earlier one; an equal one does: it was trained for longer."""
    return eer <= earlier


def validate(
    detector: Detector,
    manifests: Sequence[Manifest],
    workers: int,
    cache: ViewCache | None = None,
) -> DevResult:
    """Score every dev clip exactly once over all processes; the detector is left in evaluation."""
    scored = [score_with_all_processes(detector, each, workers, cache) for each in manifests]
    labels = [manifest.table["label"].to_numpy() for manifest in manifests]
    pairs = list(zip(scored, labels, strict=True))
    eers = {manifest.name: _eer(*pair) for manifest, pair in zip(manifests, pairs, strict=True)}
    rule = detector.experiment.train.select
    if rule == "pooled":
        return DevResult(eers, _eer(np.concatenate(scored), np.concatenate(labels)))
    values = list(eers.values())
    return DevResult(eers, max(values) if rule == "worst" else float(np.mean(values)))


def _eer(scores: np.ndarray, labels: np.ndarray) -> float:
    return eer(scores[labels == 1], scores[labels == 0]).rate


def score_with_all_processes(
    detector: Detector, manifest: Manifest, workers: int, cache: ViewCache | None = None
) -> np.ndarray:
    """One score (n,) a row, in manifest order; each process makes its share, all get them all."""
    state = this_process()
    rows = range(state.process_index, len(manifest), state.num_processes)
    settings = ScoreSettings(detector.experiment.train.eval_batch_size, workers, cache=cache)
    found: list[tuple[int, float]] = []
    with fail_together():
        for good, scores, failed in score_rows(detector, manifest, rows, settings):
            if failed:
                raise ValueError(f"dev set {manifest.name}: {failed[0][1]}")
            found += zip(good, scores, strict=True)
    everything = np.empty(len(manifest))
    for row, score in gather(found):
        everything[row] = score
    return everything
