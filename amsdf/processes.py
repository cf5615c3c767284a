"""Several processes as one: whoever fails, all stop with the same words, and none waits for ever.

`accelerate launch` and `torchrun` start the same command several times; alone, all this is nothing.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import (
    Accelerator,
    DistributedDataParallelKwargs,
    DistributedType,
    PartialState,
)
from accelerate.state import AcceleratorState
from accelerate.utils import gather_object, parse_flag_from_env, reduce
from torch import Tensor


def on_cpu() -> bool:
    """Whether CPUs are meant; where there is nothing else, `torchrun` does not say so."""
    return parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()


def open_accelerator(precision: str, trackers: Sequence[str], folder: Path) -> Accelerator:
    """What places, shards and tracks a training run in `folder`."""
    AcceleratorState._reset_state()  # else the precision of an earlier run in this process stays
    accelerator = Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        log_with=list(trackers) or None,
        project_dir=folder,
        cpu=on_cpu(),
        kwargs_handlers=[
            DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
        ],
    )
    if accelerator.device.type == "cuda":
        _repeat_exactly()
    if accelerator.distributed_type in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise ValueError(
            "cannot train under DeepSpeed or Megatron; to shard, launch with "
            "--use_fsdp --fsdp_version 2"
        )
    absent = set(trackers) - {"all", *map(str, accelerator.log_with)}
    if absent:
        name = min(absent)
        raise ValueError(f"--tracker {name}: is not installed; pip install {name}")
    return accelerator


def _repeat_exactly() -> None:
    """Let CUDA give the same bits again; it warns of an operation that has no such form."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)


def this_process() -> PartialState:
    """This process among those that were started together; it joins them on the first call."""
    return PartialState(cpu=on_cpu())


def raise_together(problem: str) -> None:
    """A ValueError in every process if any of them has a problem; all must come here."""
    state = this_process()
    if state.num_processes > 1:
        found = torch.tensor(float(bool(problem)), device=state.device)
        if reduce(found, "sum") > 0:
            problem = next(filter(None, gather_object([problem])))
    if problem:
        raise ValueError(problem)


@contextmanager
def together() -> Iterator[None]:
    """A part that may fail in some processes only; behind it all go on, or all raise."""
    if this_process().num_processes == 1:
        yield
        return
    problem = ""
    try:
        yield
    except (ValueError, OSError) as error:
        problem = str(error)
    raise_together(problem)


def on_main(action: Callable[[], None]) -> None:
    """Do it in the first process; behind it all go on, or all raise."""
    with together():
        if this_process().is_main_process:
            action()


def total(number: float) -> float:
    """The sum of a number over all processes."""
    state = this_process()
    if state.num_processes == 1:
        return number
    return float(reduce(torch.tensor(number, dtype=torch.float64, device=state.device), "sum"))


@torch.no_grad()
def average_statistics(buffers: Iterable[Tensor]) -> None:
    """Running statistics become their mean over all processes; whole numbers are equal anyway."""
    if this_process().num_processes == 1:
        return
    for buffer in buffers:
        if buffer.is_floating_point():
            buffer.copy_(reduce(buffer, "mean"))


def leave() -> None:
    """The end of what is done together; after it each process goes on alone."""
    this_process().destroy_process_group()
