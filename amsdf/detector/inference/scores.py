"""Waveforms to scores and embeddings: one implementation for all who ask a detector."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from amsdf.contracts import BONAFIDE
from amsdf.data.batching import evaluation_batches
from amsdf.data.dataset import Batch, Clips, clip_loader
from amsdf.data.manifest import Manifest
from amsdf.data.waiting import Waits, waited
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.detector.detector import Detector
from amsdf.detector.inference.cutting import RecordingPart, cut
from amsdf.detector.inference.frozen import frozen_views
from amsdf.detector.inference.part_batches import PartBatch, PartBatches, batched, part_loader
from amsdf.detector.inference.precision import describe_formats, encoders_in, formats
from amsdf.detector.inference.windows import pool
from amsdf.plain import plain_way

#: What is taken for the score: that of the loss, or what the authors of the system report.
SCORE_RULES = ("default", "published")


@dataclass(frozen=True)
class ScoreSettings:
    """How to score; only `precision` and `score_rule` change more than the last digits."""

    batch_size: int = 64
    workers: int = 0
    precision: str = "fp32"
    strict: bool = False
    progress: bool = True
    score_rule: str = "default"
    #: The straightforward way, to measure the quick one against.
    plain: bool = False
    #: Where views of frozen encoders are kept.
    cache: ViewCache | None = None
    #: How long scoring has waited for its clips.
    waits: Waits = field(default_factory=Waits, compare=False)
    #: `local`: this process, or those that `torchrun` started; `ray`: a cluster.
    engine: str = "local"
    #: Where the cluster is.
    address: str | None = None


@dataclass(frozen=True)
class ScoredPart:
    """A part of a recording without its sound, its score, and its embedding (E,)."""

    part: RecordingPart
    score: float
    embedding: np.ndarray


def score_rows(
    detector: Detector,
    manifest: Manifest,
    rows: Sequence[int],
    settings: ScoreSettings,
) -> Iterator[tuple[list[int], list[float], list[tuple[int, str]]]]:
    """Scores of some rows of a manifest, batch by batch: (rows, scores, failed rows)."""
    for found, failed in score_row_parts(detector, manifest, rows, settings):
        pooled = [pool_parts(parts, detector) for _, parts in found]
        yield [row for row, _ in found], pooled, failed


def score_row_parts(
    detector: Detector,
    manifest: Manifest,
    rows: Sequence[int],
    settings: ScoreSettings,
) -> Iterator[tuple[list[tuple[int, list[ScoredPart]]], list[tuple[int, str]]]]:
    """All parts of some rows, batch by batch: (rows that are complete, rows that failed)."""
    if detector.experiment.clip.samples is None:
        detector.require_lengths()
    waiting: dict[int, list[ScoredPart]] = {}
    cache = settings.cache
    known = cache.parts(detector, manifest, rows, settings.precision) if cache else None
    batches = PartBatches(manifest, rows, detector.experiment, settings.batch_size, known)
    loader = part_loader(batches, settings.workers, pin=detector.device.type == "cuda")
    for batch in waited(loader, settings.waits):
        complete = []
        for scored in score_parts(detector, batch, settings):
            row = scored.part.row
            waiting.setdefault(row, []).append(scored)
            if scored.part.last:
                complete.append((row, waiting.pop(row)))
        for row, _ in batch.failed:
            waiting.pop(row, None)
        yield complete, batch.failed


def score_recording(
    detector: Detector, blocks: Iterable[np.ndarray], settings: ScoreSettings
) -> Iterator[ScoredPart]:
    """Blocks (S,) of one recording at 16 kHz -> its parts, in order of time."""
    if detector.experiment.clip.samples is None:
        detector.require_lengths()
    for batch in batched(cut(blocks, detector.experiment), settings.batch_size):
        yield from score_parts(detector, batch, settings)


def score_waveforms(
    detector: Detector, waveforms: Sequence[np.ndarray], settings: ScoreSettings
) -> list[float]:
    """Whole recordings (S,) at 16 kHz, each as its own block -> a score each."""
    if detector.experiment.clip.samples is None:
        detector.require_lengths()
    parts = (
        part
        for row, waveform in enumerate(waveforms)
        for part in cut([np.asarray(waveform, np.float32)], detector.experiment, row)
    )
    scored: list[list[ScoredPart]] = [[] for _ in waveforms]
    for batch in batched(parts, settings.batch_size):
        for each in score_parts(detector, batch, settings):
            scored[each.part.row].append(each)
    return [pool_parts(parts, detector) for parts in scored]


def score_parts(detector: Detector, batch: PartBatch, settings: ScoreSettings) -> list[ScoredPart]:
    """The parts of a batch, scored."""
    if not batch.parts:
        return []
    scores, embeddings = score_batch(detector, batch.waveform, batch.lengths, settings, batch.views)
    return [ScoredPart(*each) for each in zip(batch.parts, scores, embeddings, strict=True)]


@torch.inference_mode()
def score_batch(
    detector: Detector,
    waveform: Tensor,
    lengths: Tensor | None,
    settings: ScoreSettings,
    known: Mapping[str, Tensor] | None = None,
) -> tuple[list[float], np.ndarray]:
    """Scores and embeddings (B, E) of clips (B, S), of true lengths (B,) where they are padded.

    The detector is left in evaluation mode: its dropout has no part in a score.
    """
    detector.eval()
    waveform = waveform.to(detector.device, non_blocking=True)
    lengths = None if lengths is None else lengths.to(detector.device)
    chosen = formats(detector.encoders, settings.precision, detector.device)
    with plain_way(settings.plain), encoders_in(chosen):
        if known is None:
            known = frozen_views(detector, waveform, lengths)
        known = {name: view.to(detector.device) for name, view in known.items()}
        embeddings = detector.fuse(*detector.views(waveform, lengths, known)).float()
        loss = detector.loss
        rule = loss.published_score if settings.score_rule == "published" else loss.score
        scores = rule(embeddings)
    return scores.float().cpu().tolist(), embeddings.cpu().numpy()


def describe_precision(detector: Detector, settings: ScoreSettings) -> str:
    """What score files say of the number formats: `fp32`, or `auto (audio fp32, text bf16)`."""
    chosen = formats(detector.encoders, settings.precision, detector.device)
    return describe_formats(settings.precision, chosen) + (", plain" if settings.plain else "")


def pool_parts(parts: Sequence[ScoredPart], detector: Detector) -> float:
    """The score of a recording from those of its parts, by the detector's rule."""
    scores = torch.tensor([scored.score for scored in parts], dtype=torch.float64)
    power = torch.tensor([scored.part.power for scored in parts], dtype=torch.float64)
    return float(pool(scores, power, detector.experiment.score))


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
