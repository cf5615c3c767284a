"""Padded columns of feature maps: what convolutions must not see."""

from torch import Tensor


def blank(image: Tensor, mask: Tensor | None) -> Tensor:
    """Zero the padded columns, as the border of a convolution is: (B, C, F, N), mask (B, N)."""
    return image if mask is None else image.masked_fill(~mask[:, None, None], 0)


def strided(mask: Tensor | None, stride: int) -> Tensor | None:
    """The mask (B, N) of every `stride`-th column."""
    return mask if mask is None else mask[:, ::stride]
