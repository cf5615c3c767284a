"""Waveforms to scores and embeddings: one implementation for all who ask a detector."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from amsdf.contracts import BONAFIDE
from amsdf.data.batching import evaluation_batches
from amsdf.data.dataset import Batch, Clips, clip_loader
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
#: What is taken for the score: that of the loss, or what the authors of the system report.
SCORE_RULES = ("default", "published")


@dataclass(frozen=True)
class ScoreSettings:
    """How to score; only `precision` and `score_rule` change the numbers."""

    batch_size: int = 64
    workers: int = 0
    precision: str = "fp32"
    strict: bool = False
    progress: bool = True
    score_rule: str = "default"


def score_rows(
    detector: Detector,
    manifest: Manifest,
    rows: Sequence[int],
    settings: ScoreSettings,
) -> Iterator[tuple[list[int], list[float], list[tuple[int, str]]]]:
    """Scores of some rows of a manifest, batch by batch: (rows, scores, failed rows)."""
    clip = detector.experiment.clip
    if clip.samples is None:
        detector.require_lengths()
    batches = evaluation_batches(rows, settings.batch_size)
    for batch in clip_loader(Clips(manifest, clip), batches, settings.workers):
        assert isinstance(batch, Batch)
        scores: list[float] = []
        if batch.rows:
            batch.to(detector.device)
            waveform, lengths = batch.waveform, batch.lengths
            scores = score_batch(
                detector, waveform, lengths, settings.precision, settings.score_rule
            )
        yield batch.rows, scores, batch.failed


@torch.inference_mode()
def score_batch(
    detector: Detector,
    waveform: Tensor,
    lengths: Tensor | None,
    precision: str,
    score_rule: str = "default",
) -> list[float]:
    """Scores of waveforms (B, S), with true lengths (B,) where they are padded.

    The detector is left in evaluation mode: its dropout has no part in a score.
    """
    detector.eval()
    lower = precision != "fp32"
    with torch.autocast(detector.device.type, dtype=PRECISIONS[precision], enabled=lower):
        scores = (
            detector.published_score(waveform, lengths)
            if score_rule == "published"
            else detector.score_unchecked(waveform, lengths)
        )
    return scores.float().cpu().tolist()


@dataclass(frozen=True)
class CorpusEmbeddings:
    """Embeddings (T, E) of one corpus with labels (T,), 1 = bona fide, and the attack of each."""

    corpus: str
    points: np.ndarray
    labels: np.ndarray
    attacks: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or len(self.points) != len(self.labels):
            raise ValueError(
                f"{self.corpus}: embeddings have shape {self.points.shape} for "
                f"{len(self.labels)} labels; they must be (trials, width)"
            )
        if not np.isfinite(self.points).all():
            raise ValueError(f"{self.corpus}: an embedding is NaN or infinite")

    def sample(self, most: int, seed: int) -> "CorpusEmbeddings":
        """At most `most` trials, drawn without replacement."""
        if len(self.points) <= most:
            return self
        kept = np.sort(np.random.default_rng(seed).choice(len(self.points), most, replace=False))
        attacks = None if self.attacks is None else [self.attacks[place] for place in kept]
        return CorpusEmbeddings(self.corpus, self.points[kept], self.labels[kept], attacks)

    def names(self) -> np.ndarray:
        """(T,) 'bona fide' or the attack, 'spoof' where it has no name."""
        attacks = self.attacks if self.attacks is not None else [None] * len(self.labels)
        fakes = [attack or "spoof" for attack in attacks]
        return np.where(np.asarray(self.labels) == BONAFIDE, "bona fide", fakes)


@torch.inference_mode()
def embed_manifest(
    detector: Detector, manifest: Manifest, limit: int = 200, seed: int = 0
) -> CorpusEmbeddings:
    """Embeddings of at most `limit` labelled clips, drawn at random; unreadable ones left out."""
    detector.eval()
    rows = np.flatnonzero(manifest.table["label"].is_not_null().to_numpy())
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    kept: list[int] = []
    points = []
    batches = evaluation_batches(rows.tolist(), 16)
    for batch in clip_loader(Clips(manifest, detector.experiment.clip), batches):
        assert isinstance(batch, Batch)
        if batch.rows:
            kept += batch.rows
            batch.to(detector.device)
            points.append(detector.embed(batch.waveform, batch.lengths).float().cpu().numpy())
    if not points:
        raise ValueError(f"{manifest.name}: no clip to embed")
    attacks = (
        manifest.table["attack"][kept].to_list() if "attack" in manifest.table.columns else None
    )
    labels = manifest.table["label"][kept].to_numpy()
    return CorpusEmbeddings(manifest.name, np.concatenate(points), labels, attacks)
