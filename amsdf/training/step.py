"""One optimiser step: gradients of a group of batches, the centre's own step, mixed precision."""

import warnings
from contextlib import nullcontext
from math import inf, isfinite

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn
from torch.optim import Optimizer

from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.training import distributed
from amsdf.training.distributed import plan_shards, whole


class Objective(nn.Module):
    """Detector and loss as one module, so that distributed wrappers see a single forward pass.

    A frozen encoder gives the same view in each pass. Where the centre has a step of its own, the
    batch keeps such views, so that the second pass runs only what has changed since the first.
    """

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = detector

    def forward(self, batch: Batch, centre_only: bool = False) -> Tensor:
        """A batch -> scalar; `centre_only` gives no gradient to anything before the loss."""
        loss = self.detector.loss
        with torch.no_grad() if centre_only else nullcontext():
            views, masks = self.detector.views(batch.waveform, batch.lengths, batch.frozen_views)
            embeddings = self.detector.fuse(views, masks)
        if centre_only:
            return loss.centre_loss(embeddings, batch.labels)
        if loss.wants_centre_step:
            batch.frozen_views = {name: views[name] for name in self.detector.frozen_views}
        if loss.wants_pairs:
            return loss(embeddings, batch.labels, self.detector(batch.pairs, batch.pair_lengths))
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
        """Move the weights by one group of batches; None if a loss or a gradient is not finite.

        Nothing is moved then, running statistics neither, but that a centre step which fails leaves
        the step before it.
        """
        kept = [(buffer, buffer.clone()) for buffer in self.objective.buffers()]
        value = self._gradients(group)
        if self.loss.wants_centre_step:
            for parameter in self.loss.centre_parameters():
                parameter.grad = None  # frozen in this phase: neither momentum nor decay
        moved = isfinite(value) and self._update()
        if moved and self.loss.wants_centre_step:
            moved = isfinite(self._gradients(group, centre_only=True)) and self._update()
        self._clear()
        for batch in group:
            batch.frozen_views = None
        if moved:
            return value
        for buffer, before in kept:
            buffer.copy_(before)
        return None

    def _gradients(self, group: list[Batch], centre_only: bool = False) -> float:
        """Gradients of the mean over all clips of a group; exact however it is cut in batches.

        Each batch counts by its weight in the loss. Processes are averaged over, so shares of
        unequal size are as exact.
        """
        weight_of = self.loss.centre_weight_of if centre_only else self.loss.weight_of
        weights = [weight_of(batch.labels) for batch in group]
        total = distributed.total(sum(weights)) / self.accelerator.num_processes
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

    def _update(self) -> bool:
        """Step with the gradients there are; False, and no step, if they are not finite.

        In fp16 too large a gradient is the business of the scaler, which skips the step and tries a
        smaller scale; below a scale of 1 the gradients themselves are at fault.
        """
        scaler = self.accelerator.scaler
        stepping = [each.optimizer for each in self.optimizers if _has_gradients(each)]
        limit = self.settings.clip_norm or inf
        norm = self.accelerator.clip_grad_norm_(self.objective.parameters(), limit)  # unscales too
        finite = isfinite(whole(norm))
        for optimizer in stepping if finite else []:
            scaler.step(optimizer) if scaler else optimizer.step()
        if scaler:  # once: `AcceleratedOptimizer.step` would do it after each optimiser
            scaler.update()
            finite = finite or scaler.get_scale() >= 1
        self._clear()
        return finite

    def _clear(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)


def _has_gradients(optimizer: Optimizer) -> bool:
    return any(
        parameter.grad is not None
        for group in optimizer.param_groups
        for parameter in group["params"]
    )
