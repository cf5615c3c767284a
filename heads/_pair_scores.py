"""Scores of all pairs of nodes of a graph, in little memory and less time.

Graph attention scores a pair by v · tanh(W (x_i * x_j) + b). The straightforward way makes three
tensors (B, N, N, D) and keeps two of them for the backward pass. Here

* a few rows of pairs exist at a time, which stay in the cache;
* a row is scored only against the nodes that follow, because scores are symmetric;
* tanh(z) is 2 sigmoid(2 z) - 1: on CPUs torch computes the sigmoid ten times as quickly. So W, b
  and v are doubled, and the sum of v is taken away;
* the backward pass computes every other block of rows again instead of keeping it.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from amsdf.plain import is_plain
from amsdf.products import product

#: Pairs of a thread that exist at a time: they fit the cache of a core. GPUs want more at once.
PAIRS = 3_000
_PAIRS_ELSEWHERE = 40_000
#: Most rows that exist at a time: within a block both directions of a pair are scored.
MOST_ROWS = 8


def pair_scores(nodes: Tensor, linear: nn.Linear, vectors: Tensor) -> Tensor:
    """Score tanh(linear(x_i * x_j)) by each vector; in float32 also under autocast.

    Args:
        nodes: (B, N, D).
        linear: From D to E.
        vectors: (E, K).

    Returns:
        (B, N, N, K), symmetric in the two nodes.
    """
    if is_plain():
        return plain_pair_scores(nodes, linear, vectors)
    with torch.autocast(nodes.device.type, enabled=False):
        return _PairScores.apply(nodes.to(vectors.dtype), linear.weight, linear.bias, vectors)


def plain_pair_scores(nodes: Tensor, linear: nn.Linear, vectors: Tensor) -> Tensor:
    """All pairs at once: nodes (B, N, D), vectors (E, K) -> (B, N, N, K)."""
    return torch.tanh(linear(nodes[:, :, None] * nodes[:, None])) @ vectors


class _PairScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, weight: Tensor, bias: Tensor, vectors: Tensor) -> Tensor:
        num_nodes = nodes.shape[1]
        scores = nodes.new_empty(vectors.shape[1], len(nodes), num_nodes, num_nodes)
        kept: list[Tensor | None] = []
        ctx.num_rows = _num_rows(nodes)
        for rows in _blocks(nodes, ctx.num_rows):
            half = _sigmoids(_products(nodes, rows), weight, bias)
            block = torch.addmm(-vectors.sum(dim=0)[:, None], 2 * vectors.t(), half.t())
            block = block.view(*scores.shape[:2], rows.stop - rows.start, -1)
            scores[..., rows, rows.start :] = block
            scores[..., rows.stop :, rows] = block[..., rows.stop - rows.start :].transpose(2, 3)
            kept.append(None if len(kept) % 2 else half)

        ctx.save_for_backward(nodes, weight, bias, vectors, *kept)
        return scores.permute(1, 2, 3, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        nodes, weight, bias, vectors, *kept = ctx.saved_tensors
        to_nodes, to_weight, to_bias = map(torch.zeros_like, ctx.saved_tensors[:3])
        to_vectors = vectors.new_zeros(vectors.shape[::-1])  # in this order torch is quick
        by_vector = grad.permute(3, 0, 1, 2)
        for rows, known in zip(_blocks(nodes, ctx.num_rows), kept, strict=True):
            products = _products(nodes, rows)
            half = _sigmoids(products, weight, bias) if known is None else known
            scored = _both_directions(by_vector, rows)

            to_vectors.addmm_(scored, half, alpha=2).sub_(scored.sum(dim=1, keepdim=True))
            projected = torch.ops.aten.sigmoid_backward(scored.t() @ (4 * vectors.t()), half)
            to_weight.addmm_(projected.t(), products)
            to_bias.addmv_(projected.t(), projected.new_ones(len(projected)))

            to_products = product(projected, weight.t()).view(
                len(nodes), rows.stop - rows.start, -1, nodes.shape[2]
            )
            to_nodes[:, rows] += (to_products * nodes[:, None, rows.start :]).sum(dim=2)
            to_nodes[:, rows.start :] += (to_products * nodes[:, rows, None]).sum(dim=1)
        return to_nodes, to_weight, to_bias, to_vectors.t()


def _num_rows(nodes: Tensor) -> int:
    """How many rows of the pair matrix exist at a time."""
    pairs = PAIRS * torch.get_num_threads() if nodes.device.type == "cpu" else _PAIRS_ELSEWHERE
    return min(max(pairs // (len(nodes) * nodes.shape[1]), 1), MOST_ROWS)


def _blocks(nodes: Tensor, num_rows: int) -> Iterator[slice]:
    """The rows of the pair matrix, a few at a time."""
    num_nodes = nodes.shape[1]
    starts = range(0, num_nodes, num_rows)
    return (slice(start, min(start + num_rows, num_nodes)) for start in starts)


def _products(nodes: Tensor, rows: slice) -> Tensor:
    """Of nodes (B, N, D) the products of some with those that follow the first of them: (P, D)."""
    return (nodes[:, rows, None] * nodes[:, None, rows.start :]).flatten(0, 2)


def _sigmoids(products: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(P, D) -> sigmoid(2 z), where z is the projected product (P, E)."""
    return product(products, 2 * weight, 2 * bias).sigmoid_()


def _both_directions(grad: Tensor, rows: slice) -> Tensor:
    """The gradient (K, B, N, N) of some rows' pairs, with that of the mirrored ones: (K, P)."""
    scored = grad[..., rows, rows.start :].clone(memory_format=torch.contiguous_format)
    scored[..., rows.stop - rows.start :] += grad[..., rows.stop :, rows].transpose(2, 3)
    return scored.flatten(1)
