"""Weights in shards over several processes (`accelerate launch --use_fsdp`), and whole again.

They are validated and saved whole, so that a run may go on with shards or without.
"""

from collections import Counter
from typing import Any

from accelerate import Accelerator
from torch import Tensor
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from amsdf.detector.detector import Detector


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
    """Whether any weight lies in shards."""
    return any(isinstance(parameter, DTensor) for parameter in detector.parameters())


def whole(value: Any) -> Any:
    """A nested state with its shards put together, on the CPU; every process must ask."""
    if isinstance(value, DTensor):
        return value.full_tensor().cpu()
    if isinstance(value, dict):
        return {key: whole(part) for key, part in value.items()}
    return [whole(part) for part in value] if isinstance(value, list) else value


def cut_like(value: Any, like: Any) -> Any:
    """A whole tensor where `like` is, in shards if that is; anything else as it is."""
    if not isinstance(value, Tensor) or value.shape != like.shape:
        return value
    value = value.to(like.device)
    if isinstance(like, DTensor):
        return distribute_tensor(value, like.device_mesh, like.placements)
    return value


def load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """The inverse of `whole(optimizer.state_dict())`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = {
        index: {key: cut_like(part, parameters[index]) for key, part in entry.items()}
        for index, entry in saved["state"].items()
    }
    optimizer.load_state_dict({**saved, "state": state})
