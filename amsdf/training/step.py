"""One optimiser step: gradients of a group of batches, the centre's own step, mixed precision."""

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from math import inf, isfinite

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn
from torch.optim import Optimizer

from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.detector.inference.frozen import frozen_views
from amsdf.training.clips.view_memory import ViewMemory
from amsdf.training.distributed import gather_shards, plan_shards
from amsdf.training.processes import sum_over_processes


class Objective(nn.Module):
    """Detector and loss as one module, so that distributed wrappers see a single forward pass.

    A frozen encoder gives the same view in each pass. Where the centre has a step of its own, the
    batch keeps such views, so that the second pass runs only what has changed since the first.
    """

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = detector
        remembers = detector.experiment.train.remember_views
        self.memory = ViewMemory(detector) if remembers else None

    def forward(self, batch: Batch, centre_only: bool = False) -> Tensor:
        """A batch -> scalar; `centre_only` gives no gradient to anything before the loss."""
        loss = self.detector.loss
        with torch.no_grad() if centre_only else nullcontext():
            views, masks = self._views(batch.waveform, batch.lengths, batch.frozen_views)
            embeddings = self.detector.fuse(views, masks)
        if centre_only:
            return loss.centre_loss(embeddings, batch.labels)
        if loss.wants_centre_step:
            batch.frozen_views = {name: views[name] for name in self.detector.frozen_views}
        if loss.wants_pairs:
            assert batch.pairs is not None
            pairs = self._views(batch.pairs, batch.pair_lengths, batch.frozen_pairs)
            return loss(embeddings, batch.labels, self.detector.fuse(*pairs))
        return loss(embeddings, batch.labels)

    def _views(
        self, waveform: Tensor, lengths: Tensor | None, known: Mapping[str, Tensor] | None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """Views and masks of clips (B, S); those of frozen encoders may be known."""
        if known is None:
            known = (
                frozen_views(self.detector, waveform, lengths)
                if self.memory is None
                else self.memory.known(waveform, lengths)
            )
        return self.detector.views(waveform, lengths, known)


class UpdateOutcome(Enum):
    """What an attempt to move the weights came to."""

    MOVED = "moved"
    #: fp16: a gradient was too large for the scale, which is smaller from now on.
    OVERFLOW = "overflow"
    #: The loss or a gradient is NaN or infinite.
    NOT_FINITE = "not finite"


@dataclass(frozen=True)
class StepResult:
    """The mean loss of a group, and what became of the network and of the centre's own step."""

    loss: float
    network: UpdateOutcome
    centre: UpdateOutcome = UpdateOutcome.MOVED

    @property
    def moved(self) -> bool:
        """Whether this was a step at all: the network has moved."""
        return self.network is UpdateOutcome.MOVED

    @property
    def skipped(self) -> bool:
        """Whether something was not moved that should have been."""
        return not self.moved or self.centre is not UpdateOutcome.MOVED

    @property
    def finite(self) -> bool:
        """Whether loss and gradients were finite, but for what a smaller scale helps."""
        return UpdateOutcome.NOT_FINITE not in (self.network, self.centre)


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

    def step(self, group: list[Batch]) -> StepResult:
        """Move the weights by one group of batches, then the centre if the loss asks for it."""
        loss, network = self._attempt(group)
        centre = UpdateOutcome.MOVED
        if network is UpdateOutcome.MOVED and self.loss.wants_centre_step:
            _, centre = self._attempt(group, centre_only=True)

        for batch in group:
            batch.frozen_views = None
        return StepResult(loss, network, centre)

    def _attempt(
        self, group: list[Batch], centre_only: bool = False
    ) -> tuple[float, UpdateOutcome]:
        """The loss and what became of the weights; unless they move, running statistics stay."""
        kept = [(buffer, buffer.clone()) for buffer in self.objective.buffers()]
        loss = self._gradients(group, centre_only)
        if self.loss.wants_centre_step and not centre_only:
            for parameter in self.loss.centre_parameters():
                parameter.grad = None  # frozen in this phase: neither momentum nor decay

        outcome = self._update() if isfinite(loss) else UpdateOutcome.NOT_FINITE
        self._clear()
        if outcome is not UpdateOutcome.MOVED:
            for buffer, before in kept:
                buffer.copy_(before)
        return loss, outcome

    def _gradients(self, group: list[Batch], centre_only: bool = False) -> float:
        """Gradients of the mean over all clips of a group; exact however it is cut in batches.

        Each batch counts by its weight in the loss. Processes are averaged over, so shares of
        unequal size are as exact.
        """
        weight_of = self.loss.centre_weight_of if centre_only else self.loss.weight_of
        weights = [weight_of(batch.labels) for batch in group]
        total = sum_over_processes(sum(weights)) / self.accelerator.num_processes
        value = 0.0
        for batch, weight in zip(group, weights, strict=True):
            last = batch is group[-1]
            batch.to(self.accelerator.device)
            with nullcontext() if last else self.accelerator.no_sync(self.objective):
                share = weight / total if total else 0.0
                loss = self.objective(batch, centre_only=centre_only) * share
                self.accelerator.backward(loss)
            value += float(loss.detach())
        return self._mean_of_processes(value)

    def _mean_of_processes(self, value: float) -> float:
        mine = torch.tensor(value, device=self.accelerator.device)
        return float(self.accelerator.reduce(mine, "mean"))

    def _update(self) -> UpdateOutcome:
        """Step with the gradients there are, unless one is not finite.

        In fp16 the scaler then tries a smaller scale; below a scale of 1 the gradients themselves
        are at fault.
        """
        scaler = self.accelerator.scaler
        stepping = [each.optimizer for each in self.optimizers if _has_gradients(each)]
        limit = self.settings.clip_norm or inf
        norm = self.accelerator.clip_grad_norm_(self.objective.parameters(), limit)  # unscales too
        finite = isfinite(gather_shards(norm))
        for optimizer in stepping if finite else []:
            scaler.step(optimizer) if scaler else optimizer.step()
        if scaler:  # once: `AcceleratedOptimizer.step` would do it after each optimiser
            scaler.update()

        if finite:
            return UpdateOutcome.MOVED
        return (
            UpdateOutcome.OVERFLOW
            if scaler and scaler.get_scale() >= 1
            else UpdateOutcome.NOT_FINITE
        )

    def _clear(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)


def _has_gradients(optimizer: Optimizer) -> bool:
    return any(
        parameter.grad is not None
        for group in optimizer.param_groups
        for parameter in group["params"]
    )
