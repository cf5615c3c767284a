"""The training set as groups of batches, each group an optimiser step."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch.utils.data import DataLoader

from amsdf.config import Experiment
from amsdf.data.batching import EpochBatches, training_batches
from amsdf.data.dataset import (
    Batch,
    Clips,
    TrainingTransform,
    clip_loader,
    collate,
    only_batch,
)
from amsdf.data.manifest import Manifest
from amsdf.detector.cache.view_cache import KeptCrops
from amsdf.training.kept_clips import kept_or_plain
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
        steps = settings.epochs * -(-len(self.batches(0)) // settings.accumulate)
        return min(settings.max_steps or steps, steps)

    def loader(self, epoch: int, after: int = 0) -> "DataLoader[Batch]":
        """What this process gets of the batches of an epoch, the first `after` left out."""
        state = this_process()
        mine = self.batches(epoch).of_process(state.process_index, state.num_processes)
        clips = Clips(self.manifest, self.experiment.clip, self.transform)
        given = kept_or_plain(clips, self.experiment, epoch, self.kept)
        join = collate if given is clips else only_batch
        return clip_loader(given, mine.after(after), self.workers, join)  # type: ignore[return-value]


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
