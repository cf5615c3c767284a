"""AMSDF's fusion of named views by graphs, for two and more views of any width and length.

Each view becomes a graph of its own (attention, pooling), pairs of views are fused by
heterogeneous attention around a learned stack node, fused pairs are fused once more, and three
groups of graphs are read out. After the code of Wu et al., "Audio multi-view spoofing detection
framework based on audio-text-emotion correlations" (AMSDF; IEEE TIFS 19, 2024).

Views are taken in alphabetical order, so that their order in a file does not matter. All pairs are
fused. The fusion of fusions then walks the chain of neighbours (1, 2), (2, 3), (3, 4) ...: the
first link is fused with the second, the result with the third, and so on. For audio, emotion and
text this is the published scheme: (audio, emotion) with (emotion, text). Two views have one link
and no fusion of fusions.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape
from amsdf.published_names import PublishedNames
from amsdf.registry import nearest
from heads._graph import Graph, add, join, largest_magnitudes, mean_node
from heads._graph_layers import (
    PUBLISHED_WORDS,
    GraphAttention,
    GraphPool,
    HeterogeneousGraphAttention,
)
from heads._view_adapters import build_adapter

PUBLISHED_ADAPTERS: dict[str, dict[str, Any]] = {
    "audio": {"name": "identity"},
    "emotion": {"name": "max-pool", "time": 3, "feature": 4},
    "text": {"name": "max-pool", "time": 4, "feature": 2, "linear": 128},
}
PUBLISHED_RATIOS = {"audio": 0.88, "emotion": 0.5, "text": 0.5}
_PUBLISHED_NAMES = {
    "emo_view_extract.bn": "adapters.emotion.norm",
    "text_view_extract.linear": "adapters.text.linear",
    "text_view_extract.bn": "adapters.text.norm",
    "Core_AE": "pairs.audio+emotion",
    "Core_AT": "pairs.audio+text",
    "Core_ET": "pairs.emotion+text",
    "Core_AET": "chain.0",
    "out_layer": "out_linear",
    **{f"GRS_group{group}": f"readouts.{group - 1}" for group in (1, 2, 3)},
    **{
        f"{theirs}_{view[:3] if view == 'emotion' else view}": f"{ours}.{view}"
        for theirs, ours in {"GAT": "attentions", "pool": "pools"}.items()
        for view in ("audio", "emotion", "text")
    },
}


class PairFusion(nn.Module):
    """Two graphs to one, and a stack node that saw both.

    Args:
        width: Width of all nodes.
        dropout: On the fused nodes and the stack node.
    """

    def __init__(self, width: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.stack_node = nn.Parameter(torch.randn(1, 1, width))
        self.layer1 = HeterogeneousGraphAttention(width, width, temperature=100.0)
        self.layer2 = HeterogeneousGraphAttention(width, width, temperature=100.0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, first: Graph, second: Graph) -> tuple[Graph, Graph]:
        """(B, N1, D), (B, N2, D) -> graph (B, max(N1, N2), D) and stack node (B, 1, D)."""
        first1, second1, stack1 = self.layer1(first, second, self.stack_node)
        first2, second2, stack2 = self.layer2(first1, second1, stack1)
        # Pooling has sorted both lists by score: nodes of one rank are added, not of one time.
        fused = add(self._summed(first1, first2), self._summed(second1, second2))
        return fused, Graph(self.dropout(stack1 + stack2))

    def _summed(self, first: Graph, second: Graph) -> Graph:
        return Graph(self.dropout(first.nodes + second.nodes), first.mask)


class GroupReadout(nn.Module):
    """A group of graphs to one vector: two poolings shared by the group, then max and mean."""

    def __init__(self, width: int, ratio: float = 0.5) -> None:
        super().__init__()
        self.pool1 = GraphPool(width, ratio)
        self.pool2 = GraphPool(width, ratio)

    def forward(self, group: Sequence[Graph]) -> Tensor:
        """Graphs (B, N, D) -> (B, 2 D)."""
        kept = join([self.pool2(self.pool1(graph)) for graph in group])
        return torch.cat([largest_magnitudes(kept), mean_node(kept)], dim=1)


class GraphFusionHead(Head):
    """Graph fusion of two or more views (AMSDF).

    Args:
        views: Name to shape of the views, at least two.
        width: Width of all graphs.
        nodes: Most nodes of a view before its pooling.
        adapters: Name of a view to its adapter: `linear` (the default: any width and length, stacks
            too), `identity`, `max-pool`, or `{name: max-pool, time: 3, feature: 4}`.
        ratios: Name of a view to the share of its nodes that is kept; 0.5 unless named.
        published: Take AMSDF's own adapters and ratios for audio, emotion and text. They fix the
            clip to 64,600 samples.
        embedding_dim: Width of the embedding.
        dropout: Before the last linear layer.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        width: int = 64,
        nodes: int = 50,
        adapters: dict[str, str | dict[str, Any]] | None = None,
        ratios: dict[str, float] | None = None,
        published: bool = False,
        embedding_dim: int = 64,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.names = sorted(views)
        if len(self.names) < 2:
            raise ValueError(
                f"fuses two or more views, given {len(self.names)}: {', '.join(views)}. "
                "For one view use aasist or pool-linear"
            )
        strangers = sorted(set(views) - set(PUBLISHED_ADAPTERS))
        if published and strangers:
            raise ValueError(
                f"published takes the views {', '.join(PUBLISHED_ADAPTERS)}, "
                f"given {strangers[0]!r}: rename the view, or choose adapters yourself"
            )

        chosen = _per_view(views, PUBLISHED_ADAPTERS if published else {}, adapters, "adapters")
        kept = _per_view(views, PUBLISHED_RATIOS if published else {}, ratios, "ratios")
        self.adapters = nn.ModuleDict(
            {
                name: build_adapter(chosen.get(name, "linear"), views[name], width, nodes)
                for name in self.names
            }
        )
        self.attentions = nn.ModuleDict(
            {name: GraphAttention(width, width, temperature=2.0) for name in self.names}
        )
        self.pools = nn.ModuleDict(
            {name: GraphPool(width, kept.get(name, 0.5)) for name in self.names}
        )

        self.pairs = nn.ModuleDict(
            {f"{a}+{b}": PairFusion(width) for a, b in combinations(self.names, 2)}
        )
        self.links = [f"{a}+{b}" for a, b in pairwise(self.names)]
        self.chain = nn.ModuleList([PairFusion(width) for _ in self.links[1:]])
        self.readouts = nn.ModuleList([GroupReadout(width) for _ in range(3)])
        self.dropout = nn.Dropout(dropout)
        self.out_linear = nn.Linear(3 * 2 * width, embedding_dim)

    def graphs(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> dict[str, Graph]:
        """Views (B, N, D) or (B, L, N, D) -> graphs (B, N', width) before any attention."""
        return {
            name: self.adapters[name](views[name], masks[name] if masks else None)
            for name in self.names
        }

    def fuse(self, graphs: Mapping[str, Graph]) -> Tensor:
        """Graphs of the views (B, N, width) -> the three read-outs (B, 6 width)."""
        pooled = {name: self.pools[name](self.attentions[name](graphs[name])) for name in graphs}

        fused, stacks = {}, []
        for a, b in combinations(self.names, 2):
            fused[f"{a}+{b}"], stack = self.pairs[f"{a}+{b}"](pooled[a], pooled[b])
            stacks.append(stack)

        chained = [fused[self.links[0]]]
        for fusion, link in zip(self.chain, self.links[1:], strict=True):
            graph, stack = fusion(chained[-1], fused[link])
            chained.append(graph)
            stacks.append(stack)

        # Views, fusions and stack nodes are different things: each group has poolings of its own.
        groups = [list(pooled.values()), [*fused.values(), *chained[1:]], stacks]
        read = [readout(group) for readout, group in zip(self.readouts, groups, strict=True)]
        return torch.cat(read, dim=1)

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Views (B, N, D) or (B, L, N, D), masks (B, N) -> (B, E)."""
        return self.out_linear(self.dropout(self.fuse(self.graphs(views, masks))))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Those of AMSDF."""
        layers = {"HtrgGAT_layer1": "layer1", "HtrgGAT_layer2": "layer2"}
        return PublishedNames(_PUBLISHED_NAMES, PUBLISHED_WORDS | layers)


def _per_view(
    views: Mapping[str, ViewShape],
    published: Mapping[str, Any],
    given: Mapping[str, Any] | None,
    argument: str,
) -> dict[str, Any]:
    for name in given or {}:
        if name not in views:
            raise ValueError(
                f"{argument} names a view {name!r}.{nearest(name, views)} "
                f"The views are: {', '.join(views)}"
            )
    return {**published, **(given or {})}
