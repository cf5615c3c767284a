"""One optimiser step: gradients of a group of batches, the centre's own step, mixed precision."""

import warnings
from contextlib import nullcontext
from math import isfinite

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn
from torch.optim import Optimizer

from amsdf import processes
from amsdf.data.loading import Batch
from amsdf.detector import Detector
from amsdf.sharding import plan_shards


class Objective(nn.Module):
    """Detector and loss as one module, so that distributed wrappers see a single forward pass."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = detector

    def forward(self, batch: Batch, centre_only: bool = False) -> Tensor:
        """A batch -> scalar; `centre_only` gives no gradient to anything before the loss."""
        loss = self.detector.loss
        with torch.no_grad() if centre_only else nullcontext():
            embeddings = self.detector(batch.waveform, batch.lengths)
        if centre_only:
            return loss.centre_loss(embeddings, batch.labels)
        if loss.wants_pairs:
            return loss(embeddings, batch.labels, self.detector(batch.pairs))
        return loss(embeddings, batch.labels)


class Stepper:
    """The detector under `accelerate`, with its optimisers."""

    def __init__(self, detector: Detector, optimizers: list[Optimizer], accelerator: Accelerator):
        self.accelerator = accelerator
        self.loss = detector.loss
        self.settings = detector.experiment.train
        if accelerator.distributed_type is DistributedType.FSDP:
            plan_shards(accelerator, detector)
        with warnings.catch_warnings():  # a torch that renamed an argument says so to every process
            warnings.simplefilter("ignore", FutureWarning)
            self.objective, *self.optimizers = accelerator.prepare(Objective(detector), *optimizers)

    def step(self, group: list[Batch]) -> float | None:
        """Move the weights by one group of batches; None, and no move, if a loss is not finite."""
        value = self._mean_of_processes(self._gradients(group))
        if not isfinite(value):
            self._clear()
            return None
        if self.loss.wants_centre_step:
            for parameter in self.loss.centre_parameters():
                parameter.grad = None  # frozen in this phase: neither momentum nor decay
        self._update()
        if self.loss.wants_centre_step:
            for batch in group:
                value_of_centre = self.objective(batch, centre_only=True)
                self.accelerator.backward(value_of_centre / len(group))
            self._update()
        return value

    def _gradients(self, group: list[Batch]) -> float:
        """Gradients of the mean over all clips of a group; exact however it is cut in batches.

        Processes are averaged over, so with shares of unequal size each counts by its clips.
        """
        mine = sum(len(batch.rows) for batch in group)
        total = processes.total(mine) / self.accelerator.num_processes
        value = 0.0
        for batch in group:
            last = batch is group[-1]
            batch.to(self.accelerator.device)
            with nullcontext() if last else self.accelerator.no_sync(self.objective):
                loss = self.objective(batch) * (len(batch.rows) / total)
                self.accelerator.backward(loss)
            value += float(loss.detach())
        return value

    def _mean_of_processes(self, value: float) -> float:
        mine = torch.tensor(value, device=self.accelerator.device)
        return float(self.accelerator.reduce(mine, "mean"))

    def _update(self) -> None:
        if self.settings.clip_norm:
            self.accelerator.clip_grad_norm_(self.objective.parameters(), self.settings.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        self._clear()

    def _clear(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
