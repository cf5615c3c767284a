"""Manifests to batches of waveforms, the same whatever the number of workers or processes.

All randomness of a clip comes from (seed, epoch, place), so a clip does not depend on who loads it,
in which order, or after how many restarts. A clip that cannot be read travels as its error.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from av import FFmpegError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from amsdf.audio.cropping import fit
from amsdf.audio.files.film_cache import read_clip
from amsdf.audio.files.shards import TABLE, has_read_tables
from amsdf.audio.files.sources import AudioError
from amsdf.config import Clip
from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.manifest import Manifest
from amsdf.data.places import Places

#: (epoch, place): what a sampler draws and a dataset is asked for. Places are rows and go on behind
#: the manifest's end: with the augmented versions of its clips, then with what is drawn again.
Key = tuple[int, int]


@dataclass
class Batch:
    """Waveforms (B, S), labels (B,) of the manifest's `rows`; `failed` names unreadable clips.

    Of crops of unequal length, zero-padded, there are the true `lengths` and `pair_lengths` (B,).
    `frozen_views` and `frozen_pairs` are what frozen encoders give of the clips and of the pairs,
    where that is known.
    """

    waveform: Tensor
    labels: Tensor
    rows: list[int]
    lengths: Tensor | None
    pairs: Tensor | None
    failed: list[tuple[int, str]]
    pair_lengths: Tensor | None = None
    frozen_views: dict[str, Tensor] | None = None
    frozen_pairs: dict[str, Tensor] | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; from pinned memory it is copied while the device computes."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """The same batch where a GPU fetches it from by itself; a loader asks for it."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, change(value))
            elif isinstance(value, dict):
                setattr(self, name, {view: change(tensor) for view, tensor in value.items()})
        return self


@dataclass(frozen=True)
class _Item:
    row: int
    label: int
    waveform: np.ndarray
    pair: np.ndarray | None = None
    error: str = ""


@dataclass(frozen=True)
class TrainingTransform:
    """What training does to a clip: crops drawn from `seed`, an augmentation, a second crop.

    With `draws` k, each clip has k crops and augmentations, which come again in turn; the seed has
    no part in them, so that runs of several seeds have the same ones.
    """

    seed: int
    augment: Augmentation | None = None
    pairs: bool = False
    draws: int | None = None

    @property
    def versions(self) -> int:
        """How often each clip is in an epoch."""
        if self.augment is None:
            return 1
        return self.augment.copies + self.augment.keeps_original

    def draw_of(self, key: Key, clips: int) -> tuple[int, ...]:
        """What the crop and the augmentation of a key are drawn from, of a manifest of `clips`."""
        epoch, place = key
        if self.draws is None:
            return self.seed, epoch, place
        times, place = divmod(place, clips * self.versions)
        return (epoch + times) % self.draws, place

    def augmentation_of(self, version: int) -> Augmentation | None:
        """What a version of a clip goes through; None keeps it as it is."""
        if self.augment is None or not self.augment.keeps_original:
            return self.augment
        return self.augment if version % self.versions else None


@dataclass(frozen=True)
class _Crop:
    samples: int | None
    at_random: bool


class Clips(Dataset[_Item]):
    """The recordings of a manifest, fitted to length; `transform` is None in evaluation."""

    def __init__(self, manifest: Manifest, clip: Clip, transform: TrainingTransform | None = None):
        self.places = Places(manifest)
        self.labels = manifest.table["label"].fill_null(-1).to_numpy()
        self.clip = clip
        self.transform = transform

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Key) -> _Item:
        row = key[1] % len(self)
        try:
            return self._item(key)
        except AudioError as error:
            reason = str(error)
        except (ValueError, OSError, FFmpegError) as error:
            reason = f"{self.places[row][0]}: {error}"
        return _Item(row, int(self.labels[row]), np.zeros(0, np.float32), error=reason)

    def silent_item(self, key: Key, sizes: Sequence[int]) -> _Item:
        """The item of a key without its sound: zeros (S,) of the sizes of its crop and its pair."""
        row = key[1] % len(self)
        crop, *pair = (np.broadcast_to(np.float32(0), (size,)) for size in sizes)
        return _Item(row, int(self.labels[row]), crop, pair[0] if pair else None)

    def _item(self, key: Key) -> _Item:
        version, row = divmod(key[1], len(self))
        waveform = read_clip(*self.places[row])
        if self.transform is None:
            return _Item(row, int(self.labels[row]), self._fit(waveform, self.clip.samples, None))

        rng = np.random.default_rng(self.transform.draw_of(key, len(self)))
        augment = self.transform.augmentation_of(version)
        clip = self.clip
        first = _Crop(clip.samples, clip.train_crop == "random")
        second = _Crop(clip.pair_samples or clip.samples, clip.pair_crop == "random")
        crop = self._training_crop(waveform, first, augment, rng)
        pair = self._training_crop(waveform, second, augment, rng) if self.transform.pairs else None
        return _Item(row, int(self.labels[row]), crop, pair)

    def _training_crop(
        self,
        waveform: np.ndarray,
        crop: _Crop,
        augment: Augmentation | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        if augment is not None:
            waveform = augment(waveform, rng)
            if not len(waveform):
                raise ValueError("the augmentation left no sample of it")
        return self._fit(waveform, crop.samples, rng.random() if crop.at_random else None)

    def _fit(self, waveform: np.ndarray, samples: int | None, offset: float | None) -> np.ndarray:
        return fit(waveform, self.clip, samples, offset)


def collate(items: Sequence[_Item]) -> Batch:
    """Items to a batch: zero-padded to the longest, with true lengths, where they differ."""
    good = [item for item in items if not item.error]
    waveforms = [item.waveform for item in good]
    pairs = [item.pair for item in good if item.pair is not None]
    return Batch(
        waveform=_stack(waveforms),
        labels=torch.tensor([item.label for item in good], dtype=torch.long),
        rows=[item.row for item in good],
        lengths=_lengths(waveforms),
        pairs=_stack(pairs) if pairs else None,
        failed=[(item.row, item.error) for item in items if item.error],
        pair_lengths=_lengths(pairs),
    )


def _lengths(waveforms: Sequence[np.ndarray]) -> Tensor | None:
    sizes = [len(waveform) for waveform in waveforms]
    return torch.tensor(sizes) if len(set(sizes)) > 1 else None


def _stack(waveforms: Sequence[np.ndarray]) -> Tensor:
    longest = max((len(waveform) for waveform in waveforms), default=0)
    padded = [np.pad(waveform, (0, longest - len(waveform))) for waveform in waveforms]
    return torch.from_numpy(np.stack(padded)) if padded else torch.zeros(0, 0)


def start_method(paths: pl.Series) -> str:
    """How worker processes that read these paths begin: `spawn` where a system cannot fork.

    What reads Parquet keeps threads, which do not live on in a fork: the fork waits for them. So
    none is made where one may read it, be it the sound of an augmentation.
    """
    known = multiprocessing.get_all_start_methods()
    has_tables = has_read_tables() or paths.str.contains(f"{TABLE}/", literal=True).any()
    wanted = "forkserver" if has_tables else "fork"
    return wanted if wanted in known else "spawn"


class Turn:
    """The batches that a loader gives next: each epoch has others, and the workers stay."""

    def __init__(self, batches: Sequence[Sequence[Key]] = ()):
        self.batches = batches

    def __iter__(self) -> Iterator[Sequence[Key]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def only_batch(batches: Sequence[Batch]) -> Batch:
    """The one batch that a dataset has made by itself."""
    (batch,) = batches
    return batch


def clip_loader(
    clips: Any,
    batches: Sequence[Sequence[Key]] | Turn,
    workers: int = 0,
    join: Callable[[Any], Batch] = collate,
    pin: bool = False,
) -> DataLoader[_Item]:
    """A loader over ready-made batches of keys; it draws nothing from the global generator.

    `clips` gives the items of a batch, which `join` makes one, and knows their places.
    """
    return DataLoader(
        clips,
        batch_sampler=batches,  # type: ignore[arg-type]
        collate_fn=join,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
        generator=torch.Generator().manual_seed(0),
        multiprocessing_context=start_method(clips.places.paths) if workers else None,
    )
