"""Work along the time axis of a padded batch that sees each clip as if it came alone.

Everything here takes the true sizes of the clips (samples or frames), because a repeated edge, a
reflection or a repetition begins where the clip ends and not where the batch does.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from amsdf.contracts import mask_of

Sizes = TypeVar("Sizes", Tensor, int)

#: Frames of which `delta` is computed at once, at least.
_BLOCK = 32


def full_lengths(waveform: Tensor) -> Tensor:
    """The lengths (B,) of clips (B, S) of which nothing is padding."""
    return torch.full(waveform.shape[:1], waveform.shape[1], device=waveform.device)


def at_least(sizes: Sizes, least: int) -> Sizes:
    """Sizes of clips (any shape), or a single one as a number, raised to `least`."""
    return sizes.clamp(min=least) if isinstance(sizes, Tensor) else torch.sym_max(sizes, least)


def zero_beyond(waveform: Tensor, lengths: Tensor) -> Tensor:
    """(B, S) with zeros behind the true length of each clip."""
    return waveform * mask_of(lengths, waveform.shape[1])


def reflect(waveform: Tensor, lengths: Tensor, left: int, total: int) -> Tensor:
    """(B, S) -> (B, total): each clip mirrored at its own first and last sample.

    `left` samples come before the clip. A clip shorter than its margin is mirrored repeatedly.
    """
    index = torch.arange(-left, total - left, device=waveform.device).abs()
    last = lengths[:, None] - 1
    index = index % (2 * last).clamp(min=1)
    return waveform.gather(1, torch.minimum(index, 2 * last - index).clamp(min=0))


def repeat(waveform: Tensor, lengths: Tensor, samples: int) -> Tensor:
    """(B, S) -> (B, samples): the beginning of each clip, a short one repeated end to end."""
    index = torch.arange(samples, device=waveform.device) % lengths[:, None]
    return waveform.gather(1, index)


def repeat_short(waveform: Tensor, lengths: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Repeat the clips below `samples` up to it, leave the others; waveform (B, S') and lengths."""
    index = torch.arange(max(samples, waveform.shape[1]), device=waveform.device)
    repeated = waveform.gather(1, index % lengths[:, None])
    fitted = lengths.clamp(min=samples)
    return zero_beyond(repeated, fitted), fitted


def fit_frames(features: Tensor, counts: Tensor, frames: int) -> Tensor:
    """(B, T, D) -> (B, frames, D): the first frames, those of a short clip repeated."""
    return _take(features, torch.arange(frames, device=features.device) % counts[:, None])


def delta(features: Tensor, counts: Tensor, window: int | None) -> Tensor:
    """The change of each coefficient over time, (B, T, D) -> (B, T, D); edge frames are repeated.

    Args:
        features: What changes, (B, T, D).
        counts: True frame counts (B,).
        window: Frames under the regression line, rounded down to an odd number. Without it, the
            plain difference of the next and the previous frame.
    """
    kernel = _slope(window).to(features)
    width, size = len(kernel) // 2, max(_BLOCK, len(kernel) // 2)
    num_blocks = (features.shape[1] + size - 1) // size
    positions = torch.arange(-width, num_blocks * size + width, device=features.device)
    index = torch.minimum(positions.clamp(min=0), counts[:, None] - 1)
    # One matrix, the same for every block: a convolution over columns is five times as slow.
    blocks = _take(features, index).unfold(1, size + 2 * width, size)  # (B, blocks, D, size + …)
    slopes = _sliding(kernel, size) @ blocks.transpose(2, 3)
    return rearrange(slopes, "b n t d -> b (n t) d")[:, : features.shape[1]]


def _sliding(kernel: Tensor, rows: int) -> Tensor:
    """(K,) -> (rows, rows + K - 1): the kernel in each row, one column on from the row before."""
    row = F.pad(kernel, (0, rows))
    return row.repeat(rows)[: rows * (len(row) - 1)].view(rows, -1)


def _slope(window: int | None) -> Tensor:
    if window is None:
        return torch.tensor([-1.0, 0.0, 1.0])
    width = (window - 1) // 2
    offsets = torch.arange(-width, width + 1, dtype=torch.float64)
    return offsets / offsets.square().sum()


def _take(features: Tensor, index: Tensor) -> Tensor:
    """Frames `index` (B, T') of features (B, T, D) -> (B, T', D)."""
    return features.gather(1, index[..., None].expand(-1, -1, features.shape[2]))
