"""Which clips stand in which batch: pure functions of manifest, settings, seed and epoch.

An epoch is a list of batches, so its position after any step is one number, which is all that an
exact resume needs, and several processes agree on it without talking.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from amsdf.config import Training
from amsdf.data.loading import Key
from amsdf.data.manifest import Manifest


def training_batches(
    manifest: Manifest, settings: Training, draw: tuple[int, int], versions: int = 1
) -> list[list[Key]]:
    """The batches of one training epoch, of `settings.batch_size` rows over all processes.

    `draw` is (seed, epoch); each clip stands in the epoch `versions` times.
    """
    rng = np.random.default_rng(draw)
    epoch, size = draw[1], settings.batch_size
    if settings.bonafide_share is not None:
        batches = _shared(manifest, settings, rng, versions)
    else:
        batches = _cut(_order(manifest, settings, rng, versions), size)
    if settings.drop_last:
        batches = [batch for batch in batches if len(batch) == size]
    if not batches:
        raise ValueError(
            f"{manifest.name}: {len(manifest)} clips make no batch of {size}; "
            "lower train.batch_size or set train.drop_last to false"
        )
    return [[(epoch, int(row)) for row in batch] for batch in batches]


def evaluation_batches(rows: Sequence[int], size: int) -> list[list[Key]]:
    """Rows in their order; every row exactly once."""
    return [[(0, row) for row in rows[start : start + size]] for start in range(0, len(rows), size)]


def share_of(batches: Sequence[Sequence[Key]], rank: int, processes: int) -> list[list[Key]]:
    """The rows of each batch that fall to one process; none gets nothing, so all take each step.

    A batch smaller than the number of processes gives some of its clips to several of them.
    """
    return [list(batch[rank::processes] or [batch[rank % len(batch)]]) for batch in batches]


def _cut(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _order(
    manifest: Manifest, settings: Training, rng: np.random.Generator, versions: int
) -> np.ndarray:
    if settings.balance_corpora:
        corpora = np.tile(manifest.table["corpus"].to_numpy(), versions)
        groups = [np.flatnonzero(corpora == name) for name in np.unique(corpora)]
        longest = max(len(group) for group in groups)
        return rng.permutation(np.concatenate([_repeat(rows, longest, rng) for rows in groups]))
    rows = rng.permutation(len(manifest) * versions)
    if settings.bucket_lengths:
        seconds = np.tile(durations(manifest), versions)
        return _bucketed(rows, seconds, settings.batch_size, rng)
    return rows


def _repeat(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` rows: whole shuffled rounds over all of them, and a part of one more."""
    rounds = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:count]


def _shared(
    manifest: Manifest, settings: Training, rng: np.random.Generator, versions: int
) -> list[np.ndarray]:
    """Batches with a fixed share of bona fide; the class that runs out first starts again."""
    assert settings.bonafide_share is not None
    labels = np.tile(manifest.require_both_classes().table["label"].to_numpy(), versions)
    size = settings.batch_size
    bonafide = min(max(1, round(settings.bonafide_share * size)), size - 1)
    if size < 2:
        raise ValueError("train.bonafide_share needs train.batch_size of 2 or more")
    parts = (np.flatnonzero(labels == 1), bonafide), (np.flatnonzero(labels == 0), size - bonafide)
    count = max(-(-len(rows) // each) for rows, each in parts)
    drawn = [_repeat(rows, count * each, rng).reshape(count, each) for rows, each in parts]
    return list(np.concatenate(drawn, axis=1))


def _bucketed(
    rows: np.ndarray, seconds: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Sort by length within windows of 50 batches, then shuffle whole batches."""
    window = 50 * size
    ordered = [
        part[np.argsort(seconds[part], kind="stable")]
        for part in (rows[start : start + window] for start in range(0, len(rows), window))
    ]
    batches = _cut(np.concatenate(ordered), size)
    return np.concatenate([batches[index] for index in rng.permutation(len(batches))])


def durations(manifest: Manifest) -> np.ndarray:
    """Seconds of each clip, from the column `duration` or from the file headers."""
    if "duration" in manifest.table.columns:
        return manifest.table["duration"].cast(float).to_numpy()
    return np.array([_duration(Path(path)) for path in manifest.table["path"]])


def _duration(path: Path) -> float:
    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError:
        return path.stat().st_size / 16_000  # only the order matters: a rough guess will do
