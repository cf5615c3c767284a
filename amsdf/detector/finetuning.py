"""How much of an encoder is trained: freezing, the last blocks, adapters, rates a block.

Works on any `Encoder` through its `blocks()`. The order is: build, `apply`, load weights, train.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from amsdf.config import View
from amsdf.contracts import SAMPLE_RATE, Encoder
from amsdf.products import QuickLinears

#: Attribute of an encoder: names of the parameters that may ever be trained.
_TRAINABLE = "trainable_names"


def apply(encoder: Encoder, view: View) -> None:
    """Prepare a fresh encoder as its view says; once, before weights are loaded."""
    _check(encoder, view)
    if view.lora_rank:
        _add_adapters(encoder, view.lora_rank)
    if view.gradient_checkpointing:
        _add_checkpoints(encoder)
    below = {id(p) for block in _lower_blocks(encoder, view) for p in block.parameters()}
    names = tuple(
        name
        for name, parameter in encoder.named_parameters()
        if parameter.requires_grad and id(parameter) not in below
    )
    setattr(encoder, _TRAINABLE, () if view.freeze and view.unfreeze_epoch is None else names)
    set_trainable(encoder, view, epoch=0)


def _check(encoder: Encoder, view: View) -> None:
    forever = view.freeze and view.unfreeze_epoch is None
    if view.unfreeze_epoch is not None and not view.freeze:
        raise ValueError(
            f"encoder {view.encoder!r}: unfreeze_epoch is {view.unfreeze_epoch} but it is not "
            "frozen; give freeze: true as well"
        )
    for key in ("unfreeze_last", "lora_rank"):
        if forever and getattr(view, key):
            raise ValueError(
                f"encoder {view.encoder!r}: freeze: true and {key}: {getattr(view, key)} "
                "contradict each other; leave one out, or give unfreeze_epoch"
            )
    if view.lora_rank and view.unfreeze_last:
        raise ValueError(
            f"encoder {view.encoder!r}: lora_rank freezes all weights but the adapters; "
            "leave unfreeze_last out"
        )
    available = len(encoder.blocks())
    if view.unfreeze_last is not None and view.unfreeze_last > available:
        raise ValueError(
            f"encoder {view.encoder!r}: unfreeze_last is {view.unfreeze_last}; "
            f"it has {available} blocks"
        )


def _lower_blocks(encoder: Encoder, view: View) -> list[nn.Module]:
    """The blocks that `unfreeze_last` keeps frozen."""
    return [] if view.unfreeze_last is None else list(encoder.blocks())[: -view.unfreeze_last]


def is_frozen(view: View, epoch: int) -> bool:
    """Whether nothing of the encoder is trained in `epoch`, counted from 0."""
    return view.freeze and (view.unfreeze_epoch is None or epoch < view.unfreeze_epoch)


def set_trainable(encoder: Encoder, view: View, epoch: int) -> bool:
    """Ask for the gradients that `epoch` needs; whether that changed any parameter."""
    names = getattr(encoder, _TRAINABLE, None)
    if names is None:
        raise ValueError(f"{type(encoder).__name__}: finetuning.apply was not called on it")
    trainable = set() if is_frozen(view, epoch) else set(names)
    changed = False
    for name, parameter in encoder.named_parameters():
        wanted = name in trainable
        changed = changed or parameter.requires_grad != wanted
        parameter.requires_grad_(wanted)
    return changed


def hold_frozen(encoder: Encoder, view: View, epoch: int) -> None:
    """Put what is frozen in `epoch` back into evaluation mode, after a call of `train()`."""
    if is_frozen(view, epoch):
        encoder.eval()
    for block in _lower_blocks(encoder, view):
        block.eval()


def parameter_groups(encoder: Encoder, view: View, base_rate: float) -> list[dict[str, Any]]:
    """Optimiser groups: all parameters that may ever be trained, with the rate of their block.

    The last block, and what is in no block, learns at the view's rate; each block below at
    `layer_decay` times the rate of the one above (Howard and Ruder, "Universal language model
    fine-tuning for text classification", ACL 2018). Parameters frozen until later are in, so the
    optimiser lasts: without a gradient it leaves them alone.
    """
    rate = view.learning_rate or base_rate
    depths = _depths(encoder)
    by_depth: dict[int, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if name in getattr(encoder, _TRAINABLE):
            depth = depths.get(id(parameter), 0) if view.layer_decay < 1 else 0
            by_depth.setdefault(depth, []).append(parameter)
    return [
        {"params": parameters, "lr": rate * view.layer_decay**depth}
        for depth, parameters in sorted(by_depth.items())
    ]


def _depths(encoder: Encoder) -> dict[int, int]:
    """Parameter identity -> how many blocks are above its own."""
    return {
        id(parameter): depth
        for depth, block in enumerate(reversed(encoder.blocks()))
        for parameter in block.parameters()
    }


def _add_adapters(encoder: Encoder, rank: int) -> None:
    """Low-rank adapters on the linear layers, all else frozen.

    Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022; scale 1.
    """
    targets = _called_linears(encoder)
    if not targets:
        raise ValueError(
            f"{type(encoder).__name__} has no linear layer for adapters; leave lora_rank out"
        )
    peft = _peft()
    peft.inject_adapter_in_model(
        peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), encoder
    )


def _peft() -> Any:
    try:
        return import_module("peft")
    except ModuleNotFoundError:
        raise ValueError(
            "lora_rank needs the package 'peft', which is not installed: pip install 'amsdf[peft]'"
        ) from None


def _called_linears(encoder: Encoder) -> list[str]:
    """Names of the linear layers that a forward pass calls.

    Some models hand the weights of a layer to a fused function instead (WavLM's attention): an
    adapter there would never be used.
    """
    called: list[str] = []
    handles = [
        module.register_forward_hook(lambda *_, name=name: called.append(name))
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear)
    ]
    training = encoder.training
    encoder.eval()
    first = next(encoder.parameters())
    # With gradients: torch's fast path without them calls no linear layer of a transformer block.
    with torch.enable_grad():
        encoder(torch.zeros(1, SAMPLE_RATE // 2, device=first.device, dtype=first.dtype))
    encoder.train(training)
    for handle in handles:
        handle.remove()
    return sorted(set(called))


@contextmanager
def without_adapters(encoder: Encoder) -> Iterator[None]:
    """While open, the encoder is as it was built, so that pretrained weights find their names."""
    adapted = {
        name: module
        for name, module in encoder.named_modules()
        if hasattr(module, "lora_A") and hasattr(module, "base_layer")
    }
    for name, module in adapted.items():
        encoder.set_submodule(name, module.base_layer)
    try:
        yield
    finally:
        for name, module in adapted.items():
            encoder.set_submodule(name, module)


def _add_checkpoints(encoder: Encoder) -> None:
    """Recompute each block in the backward pass instead of keeping its activations.

    Blocks with a batch norm are left alone: a second pass would move their running statistics.
    """
    blocks = [
        block
        for block in encoder.blocks()
        if any(True for _ in block.parameters())
        and not any(isinstance(module, _BatchNorm) for module in block.modules())
    ]
    if not blocks:
        raise ValueError(
            f"{type(encoder).__name__} has no block that can be recomputed; "
            "leave gradient_checkpointing out"
        )
    for block in blocks:
        block.forward = partial(_recomputed, block.forward)


def _recomputed(forward: Any, *args: Any, **kwargs: Any) -> Any:
    if forward.__self__.training and torch.is_grad_enabled():
        return checkpoint(_quickly, forward, *args, use_reentrant=False, **kwargs)
    return forward(*args, **kwargs)


def _quickly(forward: Any, *args: Any, **kwargs: Any) -> Any:
    """Both passes take products in the same way; the second one is outside of `encode`."""
    with QuickLinears():
        return forward(*args, **kwargs)
