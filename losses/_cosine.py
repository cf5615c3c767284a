"""Cosines between embeddings and centres, exact under mixed precision."""

import torch
from torch import Tensor
from torch.nn import functional


def wide(values: Tensor) -> Tensor:
    """The same values in float32 or better; half-precision margins and centroids are too coarse."""
    return values if values.dtype == torch.float64 else values.float()


def products(rows: Tensor, columns: Tensor) -> Tensor:
    """Inner products (B, K) of rows (B, E) and columns (K, E), in float32 or better.

    A matrix product would be rounded to bfloat16 under autocast; this sum is not.
    """
    return (wide(rows)[:, None] * wide(columns)).sum(dim=-1)


def cosine(embeddings: Tensor, centres: Tensor) -> Tensor:
    """Cosines (B, K) of embeddings (B, E) and centres (K, E); that of a zero vector is 0."""
    return products(unit(embeddings), unit(centres))


def unit(vectors: Tensor) -> Tensor:
    """Vectors (…, E) at length 1, zero vectors left at zero."""
    return functional.normalize(wide(vectors), dim=-1, eps=1e-12)
