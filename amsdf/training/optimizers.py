"""Optimisers and learning-rate schedules from `train.*` settings."""

import math
from collections.abc import Callable
from typing import Any

from torch.optim import SGD, Adam, AdamW, Optimizer

from amsdf.config import Training
from amsdf.detector.detector import Detector


def build_optimizers(detector: Detector, settings: Training) -> list[Optimizer]:
    """The network's optimiser and, if asked for, one for the centre of the loss."""
    groups = detector.parameter_groups(settings.learning_rate)
    optimizers = [_build(settings.optimizer, groups, settings)]
    if settings.centre:
        centre = detector.loss.centre_parameters()
        if not centre:
            raise ValueError(
                f"train.centre is set, but loss {detector.experiment.loss.name!r} has no centre"
            )
        rate = settings.centre.learning_rate or settings.learning_rate
        own = [{"params": centre, "lr": rate}]
        plain = settings.model_copy(update={"weight_decay": 0.0})
        optimizers.append(_build(settings.centre.optimizer, own, plain))
    return optimizers


def _build(name: str, groups: list[dict[str, Any]], settings: Training) -> Optimizer:
    if name == "sgd":
        return SGD(groups, weight_decay=settings.weight_decay)
    kind = AdamW if name == "adamw" else Adam
    return kind(groups, betas=settings.betas, weight_decay=settings.weight_decay)


class Schedule:
    """Multiplies every group's starting rate by a factor of the step, the epoch or the dev EER."""

    def __init__(self, optimizers: list[Optimizer], settings: Training, total_steps: int):
        self.optimizers = optimizers
        self.starting = [float(group["lr"]) for group in self.groups]
        self.settings = settings
        self.total_steps = total_steps
        self.plateau = 1.0
        self.worse_in_a_row = 0

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The groups of now: an optimiser makes new ones whenever it is prepared or loaded."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_step(self, step: int, epoch: int) -> None:
        """Set the rates for optimiser step `step` (from 0) of `epoch` (from 0)."""
        factor = self._factor(step, epoch) * self._warmup(step)
        for group, rate in zip(self.groups, self.starting, strict=True):
            floor = min(self.settings.min_learning_rate, rate)
            group["lr"] = floor + (rate - floor) * factor

    def _warmup(self, step: int) -> float:
        return min(1.0, (step + 1) / (self.settings.warmup_steps + 1))

    def _factor(self, step: int, epoch: int) -> float:
        kinds: dict[str, Callable[[], float]] = {
            "constant": lambda: 1.0,
            "cosine": lambda: (1 + math.cos(math.pi * min(1.0, step / self.total_steps))) / 2,
            "step": lambda: self.settings.step_factor ** (epoch // self.settings.step_epochs),
            "plateau": lambda: self.plateau,
        }
        return kinds[self.settings.schedule]()

    def validated(self, is_best: bool) -> None:
        """`plateau` lowers the rate after `plateau_patience` validations worse than the best."""
        self.worse_in_a_row = 0 if is_best else self.worse_in_a_row + 1
        if self.worse_in_a_row == self.settings.plateau_patience:
            self.plateau *= self.settings.step_factor
            self.worse_in_a_row = 0

    def state_dict(self) -> dict[str, float]:
        """What an exact resume needs."""
        return {"plateau": self.plateau, "worse_in_a_row": self.worse_in_a_row}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """The inverse of `state_dict`."""
        self.plateau, self.worse_in_a_row = state["plateau"], int(state["worse_in_a_row"])
