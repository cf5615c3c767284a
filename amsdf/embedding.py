"""Detector x manifest -> embeddings, for maps of what a detector has learnt."""

import numpy as np
import torch

from amsdf.data.batching import evaluation_batches
from amsdf.data.dataset import Batch, Clips, load
from amsdf.data.manifest import Manifest
from amsdf.detector import Detector
from amsdf.embedding_maps import Embedded


@torch.inference_mode()
def embed_manifest(
    detector: Detector, manifest: Manifest, limit: int = 200, seed: int = 0
) -> Embedded:
    """Embeddings of at most `limit` labelled clips, drawn at random; unreadable ones left out."""
    detector.eval()
    rows = np.flatnonzero(manifest.table["label"].is_not_null().to_numpy())
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    kept: list[int] = []
    points = []
    batches = evaluation_batches(rows.tolist(), 16)
    for batch in load(Clips(manifest, detector.experiment.clip), batches):
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
    return Embedded(manifest.name, np.concatenate(points), labels, attacks)
