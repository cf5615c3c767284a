"""Products of float32 matrices, by the quicker of the two libraries that torch brings.

On CPUs torch multiplies float32 matrices with MKL, and computes convolutions with oneDNN. On
processors of AMD, MKL leaves out their widest instructions and takes twice as long as oneDNN; on
others the two are alike. So both are timed once a process.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from amsdf.plain import is_plain

#: So many times as quick oneDNN must be: where the two are alike, chance must not decide.
LEAST_GAIN = 1.5
#: Smaller layers stay with MKL: their products take no time.
LEAST_WEIGHTS = 1 << 14


class QuickLinears(TorchFunctionMode):
    """While open, larger linear layers are computed by the quicker library."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Any torch function; only linear layers are changed."""
        kwargs = kwargs or {}
        if func is not F.linear or kwargs or args[1].numel() < LEAST_WEIGHTS:
            return func(*args, **kwargs)
        return linear(*args)


def quick_linears(device: torch.device) -> AbstractContextManager[object]:
    """`QuickLinears` where they gain something; elsewhere each operation would pay for nothing."""
    gains = device.type == "cpu" and not is_plain() and onednn_is_quicker()
    return QuickLinears() if gains else nullcontext()


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As `torch.nn.functional.linear`: inputs (..., D), weight (E, D) -> (..., E)."""
    if torch.is_autocast_enabled("cpu") or not _fits(inputs, weight):
        return F.linear(inputs, weight, bias)
    if not torch.is_grad_enabled():
        return _onednn(inputs, weight, bias)
    result: Tensor = _Linear.apply(inputs, weight, bias)
    return result


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Left (M, K), right (N, K) -> left @ right.T + bias (M, N), without gradients."""
    if _fits(left, right):
        return _onednn(left, right, bias)
    return F.linear(left, right, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _onednn(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        rows, given = grad.flatten(0, -2), inputs.flatten(0, -2)
        to_inputs = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_inputs = product(rows, weight.t()).view(inputs.shape)
        if ctx.needs_input_grad[1]:
            to_weight = product(rows.t(), given.t())
        if ctx.needs_input_grad[2]:
            to_bias = rows.sum(dim=0)
        return to_inputs, to_weight, to_bias


def _fits(left: Tensor, right: Tensor) -> bool:
    """Whether oneDNN can compute it, and is quicker here."""
    plain_numbers = left.dtype == right.dtype == torch.float32 and left.dim() > 1
    return plain_numbers and left.device.type == "cpu" and not is_plain() and onednn_is_quicker()


def _onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return result


@cache
def onednn_is_quicker() -> bool:
    """Whether oneDNN multiplies much more quickly than MKL here."""
    if not torch.backends.mkldnn.is_available() or not hasattr(
        torch.ops.mkldnn, "_linear_pointwise"
    ):
        return False
    inputs, weight = torch.ones(256, 512), torch.ones(512, 512)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a busy machine makes threads wait for each other
    try:
        with torch.no_grad():
            ways = (lambda: F.linear(inputs, weight), lambda: _onednn(inputs, weight, None))
            mkl, onednn = _quickest(ways)
    finally:
        torch.set_num_threads(threads)
    return mkl >= LEAST_GAIN * onednn


def _quickest(ways: tuple[Callable[[], Tensor], ...]) -> list[float]:
    """The quickest run of each, in turn: what else the machine does meets all alike."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(12):
        for way, found in zip(ways, times, strict=True):
            start = time.thread_time()
            way()
            found.append(time.thread_time() - start)
    return [min(found) for found in times]
