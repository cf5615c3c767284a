"""Residual blocks in evaluation, a strip of time steps at a time.

The first block of AASIST works on maps of 32 channels, 23 bands and 21,490 steps: 63 MB a clip,
which every operation reads from memory and writes back. A strip of a few hundred steps stays in
the cache of a core from the first convolution to the pooling. A strip takes two more steps of its
input on each side, so that the numbers at its edges are those of the whole map.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from amsdf.blocks import ResidualBlock, blank

#: Pooled steps of a strip. From 64 to 256 the time is the same within 5 %.
STRIP = 128
#: Steps on each side of a strip that its two convolutions look at.
_BORDER = 2
#: The first step, and that after the last one.
Span = tuple[int, int]


class FoldedBlock(NamedTuple):
    """The convolutions of a block, with its norm inside the first one."""

    weight1: Tensor
    bias1: Tensor
    weight2: Tensor
    bias2: Tensor
    shortcut: Tensor | None


def fold(block: ResidualBlock) -> FoldedBlock:
    """The weights of a block in evaluation mode; its norm scales and shifts by constants."""
    conv1, conv2, norm, shortcut = block.conv1, block.conv2, block.bn2, block.conv_downsample
    assert norm.running_mean is not None and norm.running_var is not None
    assert conv1.bias is not None and conv2.bias is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias2 = conv2.bias
    if shortcut is not None:
        assert shortcut.bias is not None
        bias2 = bias2 + shortcut.bias
    return FoldedBlock(
        _channels_last(conv1.weight * scale[:, None, None, None]),
        (conv1.bias - norm.running_mean) * scale + norm.bias,
        _channels_last(conv2.weight),
        bias2,
        None if shortcut is None else _channels_last(shortcut.weight),
    )


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def pooled_block(block: ResidualBlock, image: Tensor, mask: Tensor | None, pool: int) -> Tensor:
    """A block and the largest of each `pool` steps: (B, C, F, N), mask (B, N) -> (B, C', F, N')."""
    folded = fold(block)
    image = _channels_last(image)
    if mask is None:
        mask = torch.ones(len(image), image.shape[-1], dtype=torch.bool, device=image.device)

    def strip(clip: int, span: Span) -> Tensor:
        output = _strip(folded, image[clip : clip + 1], mask[clip : clip + 1], span)
        return F.max_pool2d(output, (1, pool))

    last = image.shape[-1] // pool * pool
    return by_strips(strip, len(image), cut(last, pool * STRIP))


def cut(steps: int, length: int) -> list[Span]:
    """`steps` cut into spans of `length`; the last one may be shorter."""
    return [(start, min(start + length, steps)) for start in range(0, steps, length)]


def by_strips(strip: Callable[[int, Span], Tensor], clips: int, spans: Sequence[Span]) -> Tensor:
    """`strip` of each clip and span (1, ..., N'), on several threads -> (B, ..., sum of N')."""
    made = on_threads(strip, list(product(range(clips), spans)))
    rows = [made[clip * len(spans) : (clip + 1) * len(spans)] for clip in range(clips)]
    return torch.cat([torch.cat(row, dim=-1) for row in rows])


def on_threads(work: Callable[..., Tensor], tasks: Sequence[tuple[Any, ...]]) -> list[Tensor]:
    """`work` of each task, without gradients, on as many threads as torch may use.

    Torch itself splits every operation between its threads, which wait for each other after each
    one. Strips are so small that the waiting takes longer than the work.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(tasks) == 1:
        return [work(*task) for task in tasks]
    inference, lower = torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    lower_type = torch.get_autocast_dtype("cpu")

    def run(task: tuple[Any, ...]) -> Tensor:
        precision = torch.autocast("cpu", lower_type, lower)
        with torch.inference_mode(inference), torch.no_grad(), precision:
            return work(*task)

    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(run, tasks))
    finally:
        torch.set_num_threads(threads)  # the threads of the pool have set it for new ones


def _strip(block: FoldedBlock, image: Tensor, mask: Tensor, span: Span) -> Tensor:
    """The steps of a block's output from the first to before the last of `span`."""
    around = _real_steps(image, mask, span, _BORDER)
    inner = F.selu(F.conv2d(around, block.weight1, block.bias1, padding=(1, 0)), inplace=True)
    inner = blank(inner, _unless_whole(_steps(mask, span, 1)))

    output = F.conv2d(inner, block.weight2, block.bias2)
    if block.shortcut is None:
        return output.add_(around[..., _BORDER:-_BORDER])
    return output.add_(F.conv2d(around[..., 1:-1], block.shortcut))


def _real_steps(image: Tensor, mask: Tensor, span: Span, border: int) -> Tensor:
    return blank(_steps(image, span, border), _unless_whole(_steps(mask, span, border)))


def _steps(tensor: Tensor, span: Span, border: int) -> Tensor:
    """Some steps of the last axis with a border; zero (False) beyond both ends."""
    first, last = span[0] - border, span[1] + border
    steps = tensor.shape[-1]
    part = tensor[..., max(first, 0) : last]
    return F.pad(part, (max(-first, 0), max(last - steps, 0)))


def _unless_whole(mask: Tensor) -> Tensor | None:
    return None if bool(mask.all()) else mask
