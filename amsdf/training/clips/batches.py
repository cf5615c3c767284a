"""The training set as groups of batches, each group an optimiser step."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from torch.utils.data import DataLoader

from amsdf.config import Experiment
from amsdf.data.batching import EpochBatches, training_batches
from amsdf.data.dataset import (
    Batch,
    Clips,
    TrainingTransform,
    Turn,
    clip_loader,
    only_batch,
)
from amsdf.data.manifest import Manifest
from amsdf.detector.cache.view_cache import KeptCrops
from amsdf.training.clips.kept_clips import kept_or_plain
from amsdf.training.processes import this_process


@dataclass(frozen=True)
class TrainingData:
    """What an experiment makes of its training set."""

    experiment: Experiment
    manifest: Manifest
    transform: TrainingTransform
    workers: int = 0
    kept: KeptCrops | None = None

    def batches(self, epoch: int) -> EpochBatches:
        """The batches of an epoch, of all processes together."""
        draw = (self.experiment.seed, epoch)
        return training_batches(self.manifest, self.experiment.train, draw, self.transform.versions)

    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        settings = self.experiment.train
        # Limited by their seconds, an epoch has as many batches as its order happens to give.
        epochs = range(settings.epochs if settings.batch_seconds else 1)
        steps = sum(-(-len(self.batches(epoch)) // settings.accumulate) for epoch in epochs)
        steps *= settings.epochs // len(epochs)
        return min(settings.max_steps or steps, steps)

    def loader(self, epoch: int, after: int = 0) -> "DataLoader[Batch]":
        """What this process gets of the batches of an epoch, the first `after` left out.

        It is one loader, whose workers stay from epoch to epoch: one epoch at a time.
        """
        state = this_process()
        mine = self.batches(epoch).of_process(state.process_index, state.num_processes)
        given = kept_or_plain(self._clips, self.experiment, epoch, self.kept)
        if given is not self._clips:  # of this epoch alone
            return clip_loader(given, mine.after(after), self.workers, only_batch)  # type: ignore[return-value]
        self._turn.batches = mine.after(after)
        return self._loader

    def close(self) -> None:
        """Workers end."""
        vars(self).pop("_loader", None)

    @cached_property
    def _clips(self) -> Clips:
        return Clips(self.manifest, self.experiment.clip, self.transform)

    @cached_property
    def _turn(self) -> Turn:
        return Turn()

    @cached_property
    def _loader(self) -> "DataLoader[Batch]":
        pin = this_process().device.type == "cuda"
        return clip_loader(self._clips, self._turn, self.workers, pin=pin)  # type: ignore[return-value]


def in_groups(batches: Iterable[Batch], count: int) -> Iterator[list[Batch]]:
    """Lists of `count` batches; the last may be shorter."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group
