"""What each of two processes does for the tests of shards: trainings under FSDP, on CPUs.

`accelerate launch --use_fsdp` wants accelerators; here its state is set by hand, and everything
else is as it is there.
"""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin, PartialState
from accelerate.state import AcceleratorState
from toys import PLAIN, StopsAt, plan, toy_experiment
from two_processes import EXACT

from amsdf.training.processes import leave_process_group
from amsdf.training.trainer import Trainer

STACK = {
    **PLAIN,
    "views": {"text": {"layers_count": 3}},
    "train": {"epochs": 2, "batch_size": 4, "save_steps": 2, "ema": 0.9, "clip_norm": 1.0},
}
SHARDED = {"uneven": EXACT["uneven"], "unfrozen": EXACT["unfrozen"], "stack": STACK}


def sharding() -> Accelerator:
    """What `--use_fsdp --fsdp_version 2` gives."""
    AcceleratorState._reset_state()
    accelerator = Accelerator(cpu=True)
    PartialState().distributed_type = accelerator.state.distributed_type = DistributedType.FSDP
    accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    return accelerator


def run(root: Path) -> None:
    """Some from the beginning to the end, and one stopped in its second epoch and resumed."""
    for name, changes in SHARDED.items():
        Trainer(toy_experiment(**changes), plan(root, name), sharding()).run_all()
    stack = toy_experiment(**STACK)
    try:
        Trainer(stack, plan(root, "stopped", augment=StopsAt(2 * 5)), sharding()).run_all()
    except ValueError:
        Trainer(stack, plan(root, "stopped", resume=True), sharding()).run_all()
    else:
        raise SystemExit("was not stopped")


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]))
    leave_process_group()
