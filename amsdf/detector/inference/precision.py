"""The number formats that encoders score in: what was asked for, and what a processor is quick at.

Processors differ: with AMX, products in bfloat16 are six times as quick as in float32; without any
help for it, up to hundreds of times slower. So `auto` times a small product of each kind once a
process. Heads and losses always compute in float32: they take no time, and decide.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.detector.inference.lower_linear import LowerLinear
from amsdf.products import linear, quick_linears

#: What may be asked for.
PRECISIONS = ("fp32", "bf16", "int8", "auto")
#: So many times as quick as float32 a lower format must be, by kind, to be taken by `auto`. Around
#: convolutions there is more that no format makes quicker.
LEAST_GAIN = {"linear": 1.3, "conv": 2.0}
_FORMATS: ContextVar[Mapping[str, str]] = ContextVar("formats", default=MappingProxyType({}))


@contextmanager
def encoders_in(formats: Mapping[str, str]) -> Iterator[None]:
    """While open, the encoder of a view computes in its format; in float32 where none is named."""
    token = _FORMATS.set(formats)
    try:
        yield
    finally:
        _FORMATS.reset(token)


def encode(view: str, encoder: nn.Module, waveform: Tensor, lengths: Tensor | None) -> Tensor:
    """What the encoder of a view gives of clips (B, S), computed in the format of the view."""
    given = (waveform,) if lengths is None else (waveform, lengths)
    chosen = _FORMATS.get().get(view, "fp32")
    if chosen == "fp32":
        with quick_linears(waveform.device):
            return encoder(*given)

    with ExitStack() as opened:
        if chosen == "bf16":
            opened.enter_context(torch.autocast(waveform.device.type, torch.bfloat16))
        if waveform.device.type == "cpu":
            opened.enter_context(LowerLinear(chosen))
        return encoder(*given).float()


def formats(encoders: nn.ModuleDict, precision: str, device: torch.device) -> dict[str, str]:
    """The format of each view, by name."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; give one of {', '.join(PRECISIONS)}")
    if precision == "int8" and device.type != "cpu":
        raise ValueError("precision int8 is for processors; on a GPU give bf16, or auto")
    if precision != "auto":
        return dict.fromkeys(encoders.keys(), precision)
    return {name: quickest(_kind_of(encoder), device.type) for name, encoder in encoders.items()}


def describe_formats(precision: str, formats: Mapping[str, str]) -> str:
    """What score files say: `bf16`, or `auto (audio fp32, text bf16)`."""
    if precision != "auto":
        return precision
    return f"auto ({', '.join(f'{view} {chosen}' for view, chosen in formats.items())})"


def slowness(precision: str, device: torch.device) -> str:
    """One line where this format is slower here than float32; else nothing."""
    if precision not in ("bf16", "int8"):
        return ""
    times = product_seconds("linear", device.type)
    factor = times.get(precision, 0.0) / times["fp32"]
    if factor <= 1:
        return ""
    return (
        f"--precision {precision}: products take {factor:.1f} times as long as in fp32 on this "
        "processor; auto takes what is quickest"
    )


def quickest(kind: str, device: str) -> str:
    """The format for a kind of products, `linear` or `conv`, on a type of device.

    bf16 goes before int8, which is coarser.
    """
    times = product_seconds(kind, device)
    quick = [each for each in times if times[each] * LEAST_GAIN[kind] <= times["fp32"]]
    return next((each for each in ("bf16", "int8") if each in quick), "fp32")


@cache
def product_seconds(kind: str, device: str) -> dict[str, float]:
    """Seconds of a product in each format.

    It is small on a processor, where some formats take ages. On a GPU it is large: there a small
    one measures how long it takes to start.
    """
    product = _linear(device) if kind == "linear" else _convolution(device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a busy machine makes threads wait for each other
    try:
        times = {"fp32": _seconds(product, device)}
        with torch.autocast(device, torch.bfloat16):
            times["bf16"] = _seconds(product, device)
        if kind == "linear" and device == "cpu":
            with LowerLinear("int8"):
                times["int8"] = _seconds(product, device)
        return times
    finally:
        torch.set_num_threads(threads)


def _linear(device: str) -> Callable[[], object]:
    rows, width = (64, 512) if device == "cpu" else (4096, 2048)
    inputs, weight = (torch.ones(each, width, device=device) for each in (rows, width))
    return lambda: linear(inputs, weight)


def _convolution(device: str) -> Callable[[], object]:
    batch, height, frames = (1, 8, 64) if device == "cpu" else (8, 64, 512)
    image, weight = torch.ones(batch, 64, height, frames), torch.ones(64, 64, 2, 3)
    last = torch.channels_last
    image, weight = (each.to(device, memory_format=last) for each in (image, weight))
    return lambda: F.conv2d(image, weight)


@torch.inference_mode()
def _seconds(product: Callable[[], object], device: str) -> float:
    """The quickest of some runs; two are enough of what is slow."""
    clock = time.thread_time if device == "cpu" else _synchronised
    times: list[float] = []
    while len(times) < 2 or (len(times) < 20 and sum(times) < 0.02):
        start = clock()
        product()
        times.append(clock() - start)
    return min(times)


def _synchronised() -> float:
    torch.accelerator.synchronize()
    return time.perf_counter()


def _kind_of(encoder: nn.Module) -> str:
    """What an encoder mostly computes, by its weights."""
    linear = sum(each.weight.numel() for each in encoder.modules() if isinstance(each, nn.Linear))
    convolutions = (nn.Conv1d, nn.Conv2d)
    conv = sum(each.weight.numel() for each in encoder.modules() if isinstance(each, convolutions))
    return "linear" if linear > conv else "conv"
