"""A detector over several processes and devices: how it is placed, averaged and kept in shards.

With `--use_fsdp` weights are in shards over the processes. They are validated and saved whole, so
that a run may go on with shards or without.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType
from accelerate.state import AcceleratorState
from accelerate.utils import reduce
from torch import Tensor
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from amsdf.detector.detector import Detector
from amsdf.registry import HOW_TO_INSTALL
from amsdf.training.processes import on_cpu, this_process


def open_accelerator(precision: str, trackers: Sequence[str], folder: Path) -> Accelerator:
    """What places, shards and tracks a training run in `folder`."""
    this_process()  # joins, with our patience
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
        remedy = HOW_TO_INSTALL.get(name, f"pip install {name}")
        raise ValueError(f"--tracker {name}: is not installed; {remedy}")
    return accelerator


def _repeat_exactly() -> None:
    """Let CUDA give the same bits again; it warns of an operation that has no such form."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)


@torch.no_grad()
def average_statistics(buffers: Iterable[Tensor]) -> None:
    """Running statistics become their mean over all processes; whole numbers are equal anyway."""
    if this_process().num_processes == 1:
        return
    for buffer in buffers:
        if buffer.is_floating_point():
            buffer.copy_(reduce(buffer, "mean"))


def plan_shards(accelerator: Accelerator, detector: Detector) -> None:
    """Gather one repeated block of an encoder at a time; before `accelerator.prepare`."""
    plugin = accelerator.state.fsdp_plugin
    if not accelerator.is_fsdp2:
        raise ValueError("--use_fsdp shards with version 2 only; give --fsdp_version 2 as well")
    plugin.cpu_ram_efficient_loading = False  # the weights are read, in every process, already
    plugin.mixed_precision_policy = None  # autocast does it: spectra stay in float32
    plugin.auto_wrap_policy = transformer_auto_wrap_policy
    plugin.transformer_cls_names_to_wrap = _repeated_blocks(detector)


def _repeated_blocks(detector: Detector) -> list[str]:
    """Class names of what an encoder stacks, a transformer's layers for instance."""
    kinds = Counter(
        type(block)
        for name in detector.encoders
        for block in detector.encoder(name).blocks()
        if not type(block).__module__.startswith("torch.")
    )
    return sorted(kind.__name__ for kind, count in kinds.items() if count > 1)


def is_sharded(detector: Detector) -> bool:
    """Whether any weight is sharded."""
    return any(isinstance(parameter, DTensor) for parameter in detector.parameters())


def gather_shards(value: Any) -> Any:
    """A nested state with its shards put together, on the CPU; every process must ask."""
    if isinstance(value, DTensor):
        return value.full_tensor().cpu()
    if isinstance(value, dict):
        return {key: gather_shards(part) for key, part in value.items()}
    return [gather_shards(part) for part in value] if isinstance(value, list) else value


def shard_like(value: Any, like: Any) -> Any:
    """A whole tensor where `like` is, in shards if that is; anything else as it is."""
    if not isinstance(value, Tensor) or value.shape != like.shape:
        return value
    value = value.to(like.device)
    if isinstance(like, DTensor):
        return distribute_tensor(value, like.device_mesh, like.placements)
    return value


def load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """The inverse of `gather_shards(optimizer.state_dict())`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = {
        index: {key: shard_like(part, parameters[index]) for key, part in entry.items()}
        for index, entry in saved["state"].items()
    }
    optimizer.load_state_dict({**saved, "state": state})
