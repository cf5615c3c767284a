"""Graphs as padded lists of nodes, and what is done to whole lists: join, add, read out, norm."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from heads._norms import batch_norm


class Graph(NamedTuple):
    """Nodes (B, N, D) and, where some are padding, a mask (B, N), true on the real ones."""

    nodes: Tensor
    mask: Tensor | None = None


def join(graphs: Sequence[Graph]) -> Graph:
    """Node lists one after the other: (B, N1, D), (B, N2, D) ... -> (B, N1 + N2 + ..., D)."""
    nodes = torch.cat([graph.nodes for graph in graphs], dim=1)
    if all(graph.mask is None for graph in graphs):
        return Graph(nodes)
    return Graph(nodes, torch.cat([real_nodes(graph) for graph in graphs], dim=1))


def add(first: Graph, second: Graph) -> Graph:
    """Node lists added index by index, the shorter one continued with zeros."""
    length = max(first.nodes.shape[1], second.nodes.shape[1])
    missing = [length - graph.nodes.shape[1] for graph in (first, second)]
    nodes = [
        F.pad(graph.nodes, (0, 0, 0, count))
        for graph, count in zip((first, second), missing, strict=True)
    ]

    if first.mask is None and second.mask is None:
        return Graph(nodes[0] + nodes[1])
    masks = [
        F.pad(real_nodes(graph), (0, count))
        for graph, count in zip((first, second), missing, strict=True)
    ]
    return Graph(nodes[0] + nodes[1], masks[0] | masks[1])


def real_nodes(graph: Graph) -> Tensor:
    """The mask (B, N) of a graph, all true where it has none."""
    if graph.mask is not None:
        return graph.mask
    return torch.ones(graph.nodes.shape[:2], dtype=torch.bool, device=graph.nodes.device)


def mean_node(graph: Graph) -> Tensor:
    """Mean over the real nodes: (B, N, D) -> (B, D)."""
    if graph.mask is None:
        return graph.nodes.mean(dim=1)
    total = graph.nodes.masked_fill(~graph.mask[..., None], 0).sum(dim=1)
    return total / graph.mask.sum(dim=1, keepdim=True)


def largest_magnitudes(graph: Graph) -> Tensor:
    """Largest absolute value over the real nodes: (B, N, D) -> (B, D)."""
    nodes = graph.nodes.abs()
    # Magnitudes are 0 or more, so that a 0 never wins over a real node.
    if graph.mask is not None:
        nodes = nodes.masked_fill(~graph.mask[..., None], 0)
    return nodes.amax(dim=1)


def normalise(norm: nn.BatchNorm1d, graph: Graph) -> Tensor:
    """Batch norm over the real nodes of all clips; padding becomes zero: (B, N, D) -> (B, N, D)."""
    if graph.mask is None:
        rows = batch_norm(norm, rearrange(graph.nodes, "b n d -> (b n) d"))
        return rearrange(rows, "(b n) d -> b n d", b=graph.nodes.shape[0])

    # Padding would move the statistics, so that the norm of a clip depended on its batch mates.
    real = batch_norm(norm, graph.nodes[graph.mask])
    return torch.zeros_like(graph.nodes, dtype=real.dtype).masked_scatter(
        graph.mask[..., None], real
    )
