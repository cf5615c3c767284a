"""Which clips are in which batch: pure functions of manifest, settings, seed and epoch.

An epoch is a list of batches, so its position after any step is one number, which is all that an
exact resume needs, and several processes agree on it without talking.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from pathlib import Path

import numpy as np
import soundfile

from amsdf.audio.files.sources import AudioError, located
from amsdf.config import Training
from amsdf.data.dataset import Key
from amsdf.data.manifest import Manifest


@dataclass(frozen=True, eq=False)
class EpochBatches(Sequence[list[Key]]):
    """The batches of an epoch, or what one process gets of them; keys are made when asked for.

    Args:
        epoch: Its number.
        places: Of all batches, one after the other.
        ends: Where each batch ends in `places`.
        first: The first batch that is left.
        rank: Of the process.
        processes: How many there are.
    """

    epoch: int
    places: np.ndarray
    ends: np.ndarray
    first: int = 0
    rank: int = 0
    processes: int = 1

    def __len__(self) -> int:
        return max(0, len(self.ends) - self.first)

    def __getitem__(self, index: int) -> list[Key]:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        at = self.first + index
        batch = self.places[self.ends[at - 1] if at else 0 : self.ends[at]]
        # None gets nothing, so all take each step: a small batch gives some clips to several.
        mine = batch[self.rank :: self.processes]
        if not len(mine):
            mine = batch[[self.rank % len(batch)]]
        return [(self.epoch, int(place)) for place in mine]

    def of_process(self, rank: int, processes: int) -> "EpochBatches":
        """What falls to one process: of each batch its share of the clips."""
        return replace(self, rank=rank, processes=processes)

    def after(self, count: int) -> "EpochBatches":
        """Without the first batches."""
        return replace(self, first=self.first + count)


def training_batches(
    manifest: Manifest, settings: Training, draw: tuple[int, int], versions: int = 1
) -> EpochBatches:
    """The batches of one training epoch, of `settings.batch_size` rows over all processes.

    `draw` is (seed, epoch); each clip is in the epoch `versions` times.
    """
    rng = np.random.default_rng(draw)
    epoch, size = draw[1], settings.batch_size
    batches = _batches(manifest, settings, rng, versions)
    if settings.drop_last:
        batches = [batch for batch in batches if len(batch) == size]
    if not batches:
        raise ValueError(
            f"{manifest.name}: {len(manifest)} clips make no batch of {size}; "
            "lower train.batch_size or set train.drop_last to false"
        )
    places = np.concatenate(batches)
    places += _times_before(places) * len(manifest) * versions  # drawn again: a version of its own
    return EpochBatches(epoch, places, np.cumsum([len(batch) for batch in batches]))


def _times_before(places: np.ndarray) -> np.ndarray:
    """How often each of (n,) occurs before its own place -> (n,)."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    times = np.empty_like(places)
    times[order] = np.arange(len(places)) - np.searchsorted(ordered, ordered)
    return times


def evaluation_batches(rows: Sequence[int], size: int) -> list[list[Key]]:
    """Rows in their order; every row exactly once."""
    return [[(0, row) for row in rows[start : start + size]] for start in range(0, len(rows), size)]


def _split(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _batches(
    manifest: Manifest, settings: Training, rng: np.random.Generator, versions: int
) -> list[np.ndarray]:
    """The places of each batch; see `dataset.Key`."""
    groups = np.zeros(len(manifest) * versions, dtype=np.int8)
    if settings.balance_corpora:
        groups = np.tile(manifest.table["corpus"].rank("dense").to_numpy(), versions)
    if settings.bonafide_share is not None:
        labels = np.tile(manifest.require_both_classes().table["label"].to_numpy(), versions)
        pools = [_balanced(np.flatnonzero(labels == label), groups, rng) for label in (1, 0)]
        return _with_bonafide_share(pools, settings, rng)
    places = rng.permutation(_balanced(np.arange(len(groups)), groups, rng))
    if settings.bucket_lengths or settings.batch_seconds:
        seconds = np.tile(durations(manifest), versions)
        return _bucketed(places, seconds, settings, rng)
    return _split(places, settings.batch_size)


def _balanced(places: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many places of each group, those of the smaller ones several times."""
    parts = [places[groups[places] == name] for name in np.unique(groups[places])]
    if len(parts) == 1:
        return places
    longest = max(len(part) for part in parts)
    return np.concatenate([_repeat(part, longest, rng) for part in parts])


def _repeat(places: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` places: whole shuffled rounds over all of them, and a part of one more."""
    rounds = -(-count // len(places))
    return np.concatenate([rng.permutation(places) for _ in range(rounds)])[:count]


def _with_bonafide_share(
    pools: Sequence[np.ndarray], settings: Training, rng: np.random.Generator
) -> list[np.ndarray]:
    """Batches with a fixed share of the first pool, bona fide; the pool that ends starts again."""
    assert settings.bonafide_share is not None
    size = settings.batch_size
    bonafide = min(max(1, round(settings.bonafide_share * size)), size - 1)
    parts = list(zip(pools, (bonafide, size - bonafide), strict=True))
    count = max(-(-len(pool) // each) for pool, each in parts)
    drawn = [_repeat(pool, count * each, rng).reshape(count, each) for pool, each in parts]
    return list(np.concatenate(drawn, axis=1))


def _bucketed(
    places: np.ndarray, seconds: np.ndarray, settings: Training, rng: np.random.Generator
) -> list[np.ndarray]:
    """Sort by length within windows of 50 batches, then shuffle whole batches."""
    size, most = settings.batch_size, settings.batch_seconds or inf
    windows = _split(places, 50 * size)
    ordered = [part[np.argsort(seconds[part], kind="stable")] for part in windows]
    batches = [
        batch for part in ordered for batch in cut_by_length(part, seconds[part], size, most)
    ]
    return [batches[index] for index in rng.permutation(len(batches))]


def cut_by_length(
    items: np.ndarray, lengths: np.ndarray, size: int, most: float
) -> Iterator[np.ndarray]:
    """Items (n,) in order of their lengths (n,), in groups of at most `size`.

    Padded to its longest, a group is at most `most` long, unless it is one item.
    """
    while len(items):
        padded = lengths[:size] * np.arange(1, len(items[:size]) + 1)
        count = max(1, int(np.count_nonzero(padded <= most)))
        yield items[:count]
        items, lengths = items[count:], lengths[count:]


def durations(manifest: Manifest) -> np.ndarray:
    """Seconds of each clip (n,): `end` - `start`, else `duration`, else the file's header."""
    start = manifest.seconds("start").fill_null(0).to_numpy()
    end, duration = (manifest.seconds(name).fill_null(np.nan) for name in ("end", "duration"))
    seconds = np.where(end.is_nan(), duration, end.to_numpy() - start)
    paths = manifest.table["path"]
    for row in np.flatnonzero(np.isnan(seconds)):
        seconds[row] = _header_seconds(paths[int(row)]) - start[row]
    return seconds


@cache
def _header_seconds(path: str) -> float:
    """What the header says, asked once and not in every epoch."""
    try:
        place = located(path)[1]
    except AudioError:
        return 0.0
    try:
        return soundfile.info(place).duration
    except soundfile.LibsndfileError:  # only the order matters: a rough guess will do
        size = place.stat().st_size if isinstance(place, Path) else len(place.getbuffer())
        return size / 16_000
