"""The first residual block in training, a strip of time steps at a time.

Its norm goes by the statistics of the whole batch. They are known before the convolution is
computed: it is linear, so mean and variance of what it gives follow from those of the six values
that it sees at a place. With them the block is what it is in evaluation: strips are computed and
forgotten, and computed again in the backward pass.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from amsdf.blocks import ResidualBlock, blank
from encoders._strips import (
    BORDER,
    FoldedBlock,
    NormStatistics,
    Span,
    channels_last,
    fold,
    fold_in_strips,
    on_threads,
    output_of,
    pooled_spans,
    shifted,
    steps,
    weights_of,
    whole,
)


def trained_block(block: ResidualBlock, image: Tensor, mask: Tensor | None, pool: int) -> Tensor:
    """A block of one input channel, and the largest of each `pool` steps.

    (B, 1, F, N), mask (B, N) -> (B, C', F, N'). The norm's running statistics move as those of
    `nn.BatchNorm2d`.
    """
    image = blank(image, mask)
    windows, covariance = _Moments.apply(image)
    kernels, norm = block.conv1.weight.flatten(1), block.bn2
    assert block.conv1.bias is not None
    mean = kernels @ windows + block.conv1.bias
    variance = ((kernels @ covariance) * kernels).sum(dim=1)
    _move(norm, (mean, variance), _places(image))

    folded = fold(weights_of(block), NormStatistics(mean, variance, norm.eps))
    mask = whole(image) if mask is None else mask
    return _Strips.apply((mask, pool), image, *(part for part in folded if part is not None))


@torch.no_grad()
def _move(norm: torch.nn.BatchNorm2d, statistics: tuple[Tensor, Tensor], count: int) -> None:
    """The running statistics, of the variance the unbiased one, go a step towards these."""
    mean, variance = statistics
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.num_batches_tracked is not None and norm.momentum is not None
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)


def _places(image: Tensor) -> int:
    """At how many places the first convolution has an output."""
    return len(image) * (image.shape[2] + 1) * image.shape[3]


class _Moments(torch.autograd.Function):
    """Mean (6,) and covariance (6, 6) of what a 2 x 3 kernel sees of images (B, 1, F, N)."""

    @staticmethod
    def forward(ctx: Any, image: Tensor) -> tuple[Tensor, Tensor]:
        total = image.new_zeros(6, dtype=torch.float64)
        squares = image.new_zeros(6, 6, dtype=torch.float64)
        for clip in image:
            windows = _windows(clip).double()
            total += windows.sum(dim=1)
            squares += windows @ windows.t()

        count = _places(image)
        mean = total / count
        covariance = (squares / count - torch.outer(mean, mean)).to(image.dtype)
        mean = mean.to(image.dtype)
        ctx.save_for_backward(image, mean)
        return mean, covariance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_mean: Tensor, to_covariance: Tensor) -> Tensor:
        image, mean = ctx.saved_tensors
        to_image = F.pad(torch.zeros_like(image), (1, 1, 1, 1))
        both = (to_covariance + to_covariance.t()) / _places(image)
        constant = (to_mean / _places(image) - both @ mean)[:, None]
        for clip, to_clip in zip(image, to_image, strict=True):
            to_windows = torch.addmm(constant, both, _windows(clip))
            for place, part in zip(shifted(to_clip, (2, 3)), to_windows, strict=True):
                place.add_(part.view_as(place))
        return to_image[..., 1:-1, 1:-1]


def _windows(clip: Tensor) -> Tensor:
    """(1, F, N) -> what each tap of the kernel sees (6, (F + 1) N)."""
    return torch.stack(list(shifted(F.pad(clip, (1, 1, 1, 1)), (2, 3)))).flatten(1)


class _Strips(torch.autograd.Function):
    """A folded block and its pooling; nothing inside is kept."""

    @staticmethod
    def forward(ctx: Any, settings: tuple[Tensor, int], image: Tensor, *folded: Tensor) -> Tensor:
        mask, pool = settings
        ctx.pool = pool
        ctx.lower = torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")
        ctx.save_for_backward(mask, image, *folded)
        return fold_in_strips(FoldedBlock(*folded), image, mask, pool)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_pooled: Tensor) -> tuple[Tensor | None, ...]:
        mask, image, *folded = ctx.saved_tensors
        to_pooled = channels_last(to_pooled)
        pool, leaves = ctx.pool, [part.detach().requires_grad_() for part in folded]

        def strip(clip: int, span: Span) -> tuple[Tensor, ...]:
            around, real = (steps(each[clip : clip + 1], span, BORDER) for each in (image, mask))
            around.requires_grad_()
            with torch.enable_grad():
                pooled = F.max_pool2d(output_of(FoldedBlock(*leaves), around, real), (1, pool))
            to_strip = to_pooled[clip : clip + 1, ..., span[0] // pool : span[1] // pool]
            return torch.autograd.grad(pooled, [around, *leaves], to_strip)

        spans = pooled_spans(image, pool)
        tasks = [(clip, span) for clip in range(len(image)) for span in spans]
        with torch.autocast("cpu", *ctx.lower):
            found = on_threads(strip, tasks)

        to_image = torch.zeros_like(image)
        for (clip, span), (to_around, *_) in zip(tasks, found, strict=True):
            _add(to_image[clip : clip + 1], to_around, span)
        to_folded = [torch.stack(parts).sum(dim=0) for parts in list(zip(*found, strict=True))[1:]]
        return None, to_image, *to_folded


def _add(total: Tensor, part: Tensor, span: Span) -> None:
    """Add a strip with its border; what is beyond both ends of the clip is left out."""
    first, last = span[0] - BORDER, span[1] + BORDER
    low, high = max(first, 0), min(last, total.shape[-1])
    total[..., low:high] += part[..., low - first : high - first]
