"""Cosines between embeddings and centres, exact under mixed precision."""

import torch
from torch import Tensor
from torch.nn import functional


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision to float32, anything better as it is."""
    # bfloat16 has steps of 0.004 below 1, and alpha = 20 makes 0.08 of each: too coarse a margin.
    return values if values.dtype == torch.float64 else values.float()


def inner_products(rows: Tensor, columns: Tensor) -> Tensor:
    """Inner products (B, K) of rows (B, E) and columns (K, E), in float32 or better."""
    # Autocast would run a matrix product in half precision; it leaves a product and a sum alone.
    return (at_least_float32(rows)[:, None] * at_least_float32(columns)).sum(dim=-1)


def cosine(embeddings: Tensor, centres: Tensor) -> Tensor:
    """Cosines (B, K) of embeddings (B, E) and centres (K, E); that of a zero vector is 0."""
    return inner_products(unit(embeddings), unit(centres))


def unit(vectors: Tensor) -> Tensor:
    """Vectors (…, E) at length 1, zero vectors left at zero."""
    return functional.normalize(at_least_float32(vectors), dim=-1, eps=1e-12)
