"""What an exact resume needs beside the weights, gathered from all processes and put back."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch.optim import Optimizer

from amsdf.training.distributed import gather_shards, load_optimizer, shard_like
from amsdf.training.optimizers import Schedule
from amsdf.training.processes import gather
from amsdf.training.runs.run_folder import Progress
from amsdf.training.selection.averaging import MovingAverage


@dataclass
class Resumable:
    """Everything but the weights that decides the next step."""

    accelerator: Accelerator
    optimizers: list[Optimizer]
    schedule: Schedule
    average: MovingAverage | None

    def state(self, progress: Progress) -> dict[str, Any]:
        """The state of all processes; each of them must ask."""
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else torch.empty(0)
        scaler = self.accelerator.scaler
        return {
            "progress": vars(progress),
            "optimizers": [gather_shards(optimizer.state_dict()) for optimizer in self.optimizers],
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
            "average": gather_shards(self.average.state) if self.average else {},
            "random": gather([torch.get_rng_state()]),
            "cuda": gather([cuda]),
        }

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `state`, but for the progress."""
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            load_optimizer(optimizer, saved)
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        if self.average:
            current = self.average.state
            self.average.state = {
                key: shard_like(value, current[key]) for key, value in state["average"].items()
            }
        rank = self.accelerator.process_index
        if rank < len(state["random"]):
            torch.set_rng_state(state["random"][rank])
            if len(state["cuda"][rank]):
                torch.cuda.set_rng_state(state["cuda"][rank])
