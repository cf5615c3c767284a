"""Residual blocks, a strip of time steps at a time.

The first block of AASIST works on maps of 32 channels, 23 bands and 21,490 steps: 63 MB a clip,
which every operation reads from memory and writes back. A strip of a few hundred steps stays in
the cache of a core from the first convolution to the pooling. A strip takes two more steps of its
input on each side, so that the numbers at its edges are those of the whole map.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from amsdf.blocks import ResidualBlock, blank

#: Pooled steps of a strip. From 64 to 256 the time is the same within 5 %.
STRIP = 128
#: Steps on each side of a strip that its two convolutions look at.
BORDER = 2
#: The first step, and that after the last one.
Span = tuple[int, int]
Result = TypeVar("Result")


class FoldedBlock(NamedTuple):
    """The convolutions of a block, with its norm inside the first one."""

    weight1: Tensor
    bias1: Tensor
    weight2: Tensor
    bias2: Tensor
    shortcut: Tensor | None = None


class NormStatistics(NamedTuple):
    """Mean (C,) and variance (C,) that a norm goes by, and what it adds to the variance."""

    mean: Tensor
    variance: Tensor
    eps: float


def weights_of(block: ResidualBlock) -> list[Tensor]:
    """What `fold` takes: weight and bias of each part, the shortcut's last where there is one."""
    parts = (block.conv1, block.bn2, block.conv2, block.conv_downsample)
    return [tensor for part in parts if part is not None for tensor in part.parameters()]


def fold(weights: Sequence[Tensor], norm: NormStatistics) -> FoldedBlock:
    """A norm scales and shifts by constants: the first convolution can do it."""
    weight1, bias1, gain, offset, weight2, bias2, *shortcut = weights
    scale = gain * (norm.variance + norm.eps).rsqrt()
    folded = FoldedBlock(
        channels_last(weight1 * scale[:, None, None, None]),
        (bias1 - norm.mean) * scale + offset,
        channels_last(weight2),
        bias2,
    )
    if not shortcut:
        return folded
    return folded._replace(bias2=bias2 + shortcut[1], shortcut=channels_last(shortcut[0]))


def pooled_block(block: ResidualBlock, image: Tensor, mask: Tensor | None, pool: int) -> Tensor:
    """A block and the largest of each `pool` steps: (B, C, F, N), mask (B, N) -> (B, C', F, N')."""
    norm = block.bn2
    assert norm.running_mean is not None and norm.running_var is not None
    statistics = NormStatistics(norm.running_mean, norm.running_var, norm.eps)
    return fold_in_strips(fold(weights_of(block), statistics), image, mask, pool)


def fold_in_strips(block: FoldedBlock, image: Tensor, mask: Tensor | None, pool: int) -> Tensor:
    """As `pooled_block`."""
    image = channels_last(image)
    real = whole(image) if mask is None else mask

    def strip(clip: int, span: Span) -> Tensor:
        around, mask = (steps(each[clip : clip + 1], span, BORDER) for each in (image, real))
        return F.max_pool2d(output_of(block, around, mask), (1, pool))

    return by_strips(strip, len(image), pooled_spans(image, pool))


def output_of(block: FoldedBlock, around: Tensor, mask: Tensor) -> Tensor:
    """A block's output (B, C', F, n) of its input with its border (B, C, F, n + 4), mask alike."""
    around = blank(around, _unless_whole(mask))
    inner = F.selu(_convolve(F.pad(around, (0, 0, 1, 1)), block.weight1, block.bias1), inplace=True)
    inner = blank(inner, _unless_whole(mask[:, 1:-1]))

    output = F.conv2d(inner, block.weight2, block.bias2)
    if block.shortcut is None:
        return output.add_(around[..., BORDER:-BORDER])
    return output.add_(_convolve(around[..., 1:-1], block.shortcut, None))


def _convolve(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`F.conv2d`, for one input channel as a matrix product: torch takes a slow way there."""
    if weight.shape[1] > 1:
        return F.conv2d(image, weight, bias)
    windows = torch.stack(list(shifted(image[:, 0], weight.shape[2:])))  # (6, B, F, n)
    rows, taps = windows.flatten(1).t(), weight.flatten(1).t()
    outputs = rows @ taps if bias is None else torch.addmm(bias, rows, taps)
    return outputs.view(*windows.shape[1:], -1).permute(0, 3, 1, 2)


def shifted(image: Tensor, kernel: Sequence[int]) -> Iterator[Tensor]:
    """What each tap of a kernel sees of an image (B, F, N), row after row: (B, F', N')."""
    rows, columns = (size - taps + 1 for size, taps in zip(image.shape[1:], kernel, strict=True))
    for row, column in product(range(kernel[0]), range(kernel[1])):
        yield image[:, row : row + rows, column : column + columns]


def _unless_whole(mask: Tensor) -> Tensor | None:
    return None if bool(mask.all()) else mask


def steps(tensor: Tensor, span: Span, border: int) -> Tensor:
    """Some steps of the last axis with a border; zero (False) beyond both ends."""
    first, last = span[0] - border, span[1] + border
    num_steps = tensor.shape[-1]
    part = tensor[..., max(first, 0) : last]
    return F.pad(part, (max(-first, 0), max(last - num_steps, 0)))


def whole(image: Tensor) -> Tensor:
    """The mask (B, N) of an image (B, C, F, N) without padding."""
    return torch.ones(len(image), image.shape[-1], dtype=torch.bool, device=image.device)


def channels_last(tensor: Tensor) -> Tensor:
    """The order in memory in which convolutions need no copies."""
    return tensor.contiguous(memory_format=torch.channels_last)


def pooled_spans(image: Tensor, pool: int) -> list[Span]:
    """The spans of the steps that are pooled; the last ones may be too few to be."""
    return cut(image.shape[-1] // pool * pool, pool * STRIP)


def cut(steps: int, length: int) -> list[Span]:
    """`steps` cut into spans of `length`; the last one may be shorter."""
    return [(start, min(start + length, steps)) for start in range(0, steps, length)]


def by_strips(strip: Callable[[int, Span], Tensor], clips: int, spans: Sequence[Span]) -> Tensor:
    """`strip` of each clip and span (1, ..., N'), on several threads -> (B, ..., sum of N')."""
    made = on_threads(strip, list(product(range(clips), spans)))
    rows = [made[clip * len(spans) : (clip + 1) * len(spans)] for clip in range(clips)]
    return torch.cat([torch.cat(row, dim=-1) for row in rows])


def on_threads(work: Callable[..., Result], tasks: Sequence[tuple[Any, ...]]) -> list[Result]:
    """`work` of each task, without gradients, on as many threads as torch may use.

    Torch itself splits every operation between its threads, which wait for each other after each
    one. Strips are so small that the waiting takes longer than the work.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(tasks) == 1:
        return [work(*task) for task in tasks]
    inference, lower = torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    lower_type = torch.get_autocast_dtype("cpu")

    def run(task: tuple[Any, ...]) -> Result:
        precision = torch.autocast("cpu", lower_type, lower)
        with torch.inference_mode(inference), torch.no_grad(), precision:
            return work(*task)

    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(run, tasks))
    finally:
        torch.set_num_threads(threads)  # the threads of the pool have set it for new ones
