"""Averages of weights: a moving one while training goes on, or the mean of the best validations."""

import shutil
from collections.abc import Iterable
from functools import partial, reduce
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.detector.inference.frozen import frozen_views
from amsdf.detector.storage import checkpoint
from amsdf.training.processes import on_main
from amsdf.training.selection.validation import is_as_good

State = dict[str, Tensor]


class MovingAverage:
    """An exponential moving average of a detector's floating-point state."""

    def __init__(self, detector: Detector, decay: float):
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in detector.state_dict().items()}

    @torch.no_grad()
    def update(self, detector: Detector) -> None:
        """Move towards the current weights; integer buffers are copied."""
        for key, value in detector.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - self.decay)
            else:
                self.state[key].copy_(value)


class BestWeights:
    """The weights of the best `count` validations, in a folder, named by their optimiser step.

    All processes call it, the first one writes.

    Args:
        folder: Where they are.
        count: How many are kept.
        eers: Their dev EERs by name; the trainer saves it with its progress.
    """

    def __init__(self, folder: Path, count: int, eers: dict[str, float]):
        self.folder, self.count, self.eers = folder, count, eers

    def offer(self, detector: Detector, step: int, eer: float, state: State) -> None:
        """Keep these weights if they are among the best."""
        name = f"step-{step:08d}"
        if len(self.eers) == self.count:
            worst = reduce(self._worse, self.eers)
            if not is_as_good(eer, self.eers[worst]):
                return
            del self.eers[worst]
            on_main(partial(shutil.rmtree, self.folder / worst, ignore_errors=True))
        self.eers[name] = eer
        on_main(partial(checkpoint.save, detector.content(state), self.folder / name))

    def _worse(self, earlier: str, later: str) -> str:
        return earlier if is_as_good(self.eers[later], self.eers[earlier]) else later

    def mean(self) -> State:
        """Their mean."""
        return mean_of_states(
            [checkpoint.read_weights(self.folder / name) for name in sorted(self.eers)]
        )

    def remove(self) -> None:
        """The mean is saved: they have done their work."""
        on_main(partial(shutil.rmtree, self.folder, ignore_errors=True))


def mean_of_states(states: list[State]) -> State:
    """The mean of several state dictionaries; integer buffers are those of the last.

    What is equal in all of them stays: frozen weights keep their last bits.
    """
    return {
        key: torch.stack([state[key] for state in states]).mean(0)
        if value.is_floating_point() and any(not value.equal(state[key]) for state in states)
        else value
        for key, value in states[-1].items()
    }


@torch.no_grad()
def reestimate_norms(detector: Detector, batches: Iterable[Batch]) -> None:
    """Batch statistics of averaged weights, which the mean of other weights' statistics is not.

    As AASIST's code does after weight averaging: one pass, every batch counted equally. Norms in
    frozen encoders keep theirs. `batches` is not touched where there is nothing to estimate.
    """
    detector.train()
    norms = [part for part in detector.modules() if isinstance(part, _BatchNorm) and part.training]
    if norms:
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        for batch in batches:
            if batch.rows:  # else no clip of it could be read
                batch.to(detector.device)
                known = batch.frozen_views or frozen_views(detector, batch.waveform, batch.lengths)
                detector.fuse(*detector.views(batch.waveform, batch.lengths, known))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    detector.eval()
