"""Linear layers in bfloat16 or in 8-bit integers, their weights converted once.

Autocast converts the weights anew in each forward pass, which for one clip takes as long as the
products. Integers are scaled for each row of the weights, and for all inputs of a call together
(dynamic quantisation).
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

#: Smaller layers stay as they are: their products take no time.
_LEAST_WEIGHTS = 1 << 14
#: Seven bits for the inputs: processors without VNNI add products in 16 bits, which overflow at 8.
_REDUCED_RANGE = True


class _Converted(NamedTuple):
    """A converted weight, and the version of the weight and of the bias that it was made from."""

    weight: Any
    versions: tuple[int, int]


class LowerLinear(TorchFunctionMode):
    """While open, larger linear layers compute in a lower format: `bf16` or `int8`."""

    def __init__(self, to: str):
        super().__init__()
        self._kept = _KEPT[to]
        self._compute = _in_bf16 if to == "bf16" else _in_int8

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Any torch function; only linear layers are changed."""
        kwargs = kwargs or {}
        if func is not F.linear or kwargs or args[1].numel() < _LEAST_WEIGHTS:
            return func(*args, **kwargs)
        inputs, weight, bias = (*args, None)[:3]
        return self._compute(self._kept, inputs, weight, bias)


#: Converted weights live as long as what they were made from.
_KEPT: dict[str, Any] = {"bf16": WeakTensorKeyDictionary(), "int8": WeakTensorKeyDictionary()}


def _converted(
    kept: Any, weight: Tensor, bias: Tensor | None, convert: Callable[[Tensor, Tensor | None], Any]
) -> Any:
    versions = _version(weight), _version(bias)
    found = kept.get(weight)
    if found is None or found.versions != versions:
        found = kept[weight] = _Converted(convert(weight.detach(), bias), versions)
    return found.weight


def _version(tensor: Tensor | None) -> int:
    return 0 if tensor is None or tensor.is_inference() else tensor._version


def _in_bf16(kept: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    lower = _converted(kept, weight, bias, lambda weight, _: weight.bfloat16())
    return F.linear(inputs.bfloat16(), lower, None if bias is None else bias.bfloat16())


def _in_int8(kept: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    packed = _converted(kept, weight, bias, _pack)
    outputs = torch.ops.quantized.linear_dynamic(inputs.float(), packed, _REDUCED_RANGE)
    return outputs.to(inputs.dtype)


def _pack(weight: Tensor, bias: Tensor | None) -> Any:
    scales = weight.float().abs().amax(dim=1).clamp(min=1e-12).double() / 127
    zeros = torch.zeros(len(scales), dtype=torch.long)
    with warnings.catch_warnings():  # these tensors will leave torch; requirements.txt pins one
        warnings.simplefilter("ignore", UserWarning)
        integers = torch.quantize_per_channel(weight.float(), scales, zeros, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(integers, bias)
