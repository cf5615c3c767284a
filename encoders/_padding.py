"""Waveforms of several lengths in one batch, so that a clip gets the nodes it would get alone."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from amsdf.audio.signal.padding import zero_beyond


def lengthen(waveform: Tensor, samples: int) -> Tensor:
    """(B, S) -> (B, at least `samples`), zeros behind."""
    return F.pad(waveform, (0, max(0, samples - waveform.shape[1])))


def standardise(waveform: Tensor, lengths: Tensor | None, eps: float) -> Tensor:
    """Zero mean, unit variance of each clip (B, S) over its true length; padding stays zero."""
    if lengths is None:
        return F.layer_norm(waveform.float(), waveform.shape[1:], eps=eps).to(waveform.dtype)
    clips, count = zero_beyond(waveform.float(), lengths), lengths[:, None].clamp(min=1)
    centred = zero_beyond(clips - clips.sum(1, keepdim=True) / count, lengths)
    variance = centred.square().sum(1, keepdim=True) / count
    return (centred * (variance + eps).rsqrt()).to(waveform.dtype)


def receptive_field(convolutions: Sequence[tuple[int, int]]) -> int:
    """Samples that one node sees; `convolutions` are (kernel, stride) from the waveform up."""
    field = 1
    for kernel, stride in reversed(convolutions):
        field = (field - 1) * stride + kernel
    return field


def convolved(lengths: Tensor, convolutions: Sequence[tuple[int, int]]) -> Tensor:
    """Nodes (B,) of clips of `lengths` (B,) samples behind unpadded convolutions; at least one."""
    counts = lengths.clamp(min=receptive_field(convolutions))
    for kernel, stride in convolutions:
        counts = (counts - kernel) // stride + 1
    return counts


def by_length(
    encode: Callable[[Tensor], Tensor], waveform: Tensor, lengths: Tensor, nodes: int
) -> Tensor:
    """Clips (B, S) of equal length are encoded together, without their padding.

    For models that padding would reach (a norm over time, for instance). Gives (B, …, nodes, D),
    zeros behind the nodes of a clip.
    """
    lengths = lengths.to(waveform.device)
    result: Tensor | None = None
    for length in lengths.unique().tolist():
        rows = (lengths == length).nonzero().squeeze(1)
        encoded = encode(waveform[rows, :length])
        encoded = F.pad(encoded, (0, 0, 0, nodes - encoded.shape[-2]))
        if result is None:
            result = encoded.new_zeros(len(waveform), *encoded.shape[1:])
        result = result.index_copy(0, rows, encoded)
    assert result is not None, "a batch has at least one clip"
    return result
