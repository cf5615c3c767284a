"""AASIST's graph back-end (Jung et al., ICASSP 2022) over the frequency bands of an encoder."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape
from amsdf.published_names import PublishedNames, Sizes
from heads._graph import Graph, add, largest_magnitudes, mean_node
from heads._graph_layers import (
    PUBLISHED_WORDS,
    GraphAttention,
    GraphPool,
    HeterogeneousGraphAttention,
)
from heads._view_adapters import only_view

#: Published names of the position table and of the graph layers, in AASIST and SSL_Anti-spoofing.
SPECTRO_TEMPORAL_NAMES = {
    "pos_S": "spectral_position",
    "GAT_layer_S": "graph.attention_spectral",
    "GAT_layer_T": "graph.attention_temporal",
    "pool_S": "graph.pool_spectral",
    "pool_T": "graph.pool_temporal",
} | {
    theirs.format(branch): f"graph.branches.{branch - 1}.{ours}"
    for branch in (1, 2)
    for theirs, ours in {
        "master{}": "master",
        "HtrgGAT_layer_ST{}1": "layer1",
        "HtrgGAT_layer_ST{}2": "layer2",
        "pool_hS{}": "pool_spectral",
        "pool_hT{}": "pool_temporal",
    }.items()
}
#: Pooling ratios by the width of the graphs, AASIST and AASIST-L: they are in the shape of no
#: weight.
_RATIOS: dict[int, dict[str, float]] = {
    64: {},
    24: {"ratio_spectral": 0.4, "ratio_temporal": 0.5, "ratio_later": 0.7},
}


class SpectroTemporalBranch(nn.Module):
    """Two heterogeneous layers around a learned master node, with pooling between them.

    Args:
        in_dim: Width of the nodes given.
        out_dim: Width of the nodes returned.
        ratio: Share of the nodes kept after the first layer.
        temperature: Of both layers.
    """

    def __init__(self, in_dim: int, out_dim: int, ratio: float, temperature: float) -> None:
        super().__init__()
        self.master = nn.Parameter(torch.randn(1, 1, in_dim))
        self.layer1 = HeterogeneousGraphAttention(in_dim, out_dim, temperature)
        self.pool_temporal = GraphPool(out_dim, ratio)
        self.pool_spectral = GraphPool(out_dim, ratio)
        self.layer2 = HeterogeneousGraphAttention(out_dim, out_dim, temperature)
        self.dropout = nn.Dropout(0.2)

    def forward(self, temporal: Graph, spectral: Graph) -> tuple[Graph, Graph, Tensor]:
        """(B, T, in), (B, S, in) -> (B, T', out), (B, S', out), master (B, 1, out)."""
        temporal1, spectral1, master1 = self.layer1(temporal, spectral, self.master)
        temporal1, spectral1 = self.pool_temporal(temporal1), self.pool_spectral(spectral1)
        temporal2, spectral2, master2 = self.layer2(temporal1, spectral1, master1)
        return (
            self._dropped(add(temporal1, temporal2)),
            self._dropped(add(spectral1, spectral2)),
            self.dropout(master1 + master2),
        )

    def _dropped(self, graph: Graph) -> Graph:
        return graph._replace(nodes=self.dropout(graph.nodes))


class SpectroTemporalGraph(nn.Module):
    """Spectral and temporal nodes to one vector of 5 `hidden_dim`.

    Args:
        dim: Width of the nodes given.
        graph_dim: Width after the attention within each kind.
        hidden_dim: Width after the attention across kinds.
        ratios: Shares of the nodes kept: spectral, temporal, later.
        temperatures: Within each kind, across kinds.
    """

    def __init__(
        self,
        dim: int,
        graph_dim: int,
        hidden_dim: int,
        ratios: tuple[float, float, float],
        temperatures: tuple[float, float],
    ) -> None:
        super().__init__()
        self.attention_spectral = GraphAttention(dim, graph_dim, temperatures[0])
        self.attention_temporal = GraphAttention(dim, graph_dim, temperatures[0])
        self.pool_spectral = GraphPool(graph_dim, ratios[0])
        self.pool_temporal = GraphPool(graph_dim, ratios[1])
        self.branches = nn.ModuleList(
            [
                SpectroTemporalBranch(graph_dim, hidden_dim, ratios[2], temperatures[1])
                for _ in range(2)
            ]
        )

    def forward(self, spectral: Graph, temporal: Graph) -> Tensor:
        """(B, S, dim), (B, T, dim) -> (B, 5 hidden_dim)."""
        spectral = self.pool_spectral(self.attention_spectral(spectral))
        temporal = self.pool_temporal(self.attention_temporal(temporal))
        results = [branch(temporal, spectral) for branch in self.branches]
        (temporal1, spectral1, master1), (temporal2, spectral2, master2) = results

        # The larger value of the two branches: a trace that only one of them finds is kept.
        temporal = Graph(torch.maximum(temporal1.nodes, temporal2.nodes), temporal1.mask)
        spectral = Graph(torch.maximum(spectral1.nodes, spectral2.nodes), spectral1.mask)

        parts = [
            largest_magnitudes(temporal),
            mean_node(temporal),
            largest_magnitudes(spectral),
            mean_node(spectral),
            torch.maximum(master1, master2).squeeze(1),
        ]
        return torch.cat(parts, dim=1)


class AASISTHead(Head):
    """Spectro-temporal graph attention over a stack of frequency bands (AASIST, AASIST-L).

    AASIST-L is graph_dim 24, ratio_spectral 0.4, ratio_temporal 0.5, ratio_later 0.7.

    Args:
        views: One view, a stack of bands (B, bands, N, D) such as `sinc-resnet` gives.
        graph_dim: Width after the attention within each kind of nodes.
        hidden_dim: Width after the attention across kinds; the embedding is five times as wide.
        ratio_spectral: Share of the spectral nodes kept.
        ratio_temporal: Share of the temporal nodes kept.
        ratio_later: Share of both kept between the two heterogeneous layers.
        temperature: Of the attention within each kind.
        pair_temperature: Of the attention across kinds.
        dropout: On the embedding.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        graph_dim: int = 64,
        hidden_dim: int = 32,
        ratio_spectral: float = 0.5,
        ratio_temporal: float = 0.7,
        ratio_later: float = 0.5,
        temperature: float = 2.0,
        pair_temperature: float = 100.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.view, shape = only_view(views, stack=True)
        self.embedding_dim = 5 * hidden_dim
        self.spectral_position = nn.Parameter(torch.randn(1, shape.layers or 1, shape.dim))
        self.graph = SpectroTemporalGraph(
            shape.dim,
            graph_dim,
            hidden_dim,
            (ratio_spectral, ratio_temporal, ratio_later),
            (temperature, pair_temperature),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The view (B, bands, N, D), its mask (B, N) -> (B, 5 hidden_dim)."""
        bands = views[self.view].abs()
        mask = masks[self.view] if masks else None
        if mask is not None:
            bands = bands.masked_fill(~mask[:, None, :, None], 0)
        # The largest magnitude and no mean: a trace of synthesis may be short, or in one band only.
        # Graph attention knows no order, so the bands get a position.
        spectral = Graph(bands.amax(dim=2) + self.spectral_position)
        temporal = Graph(bands.amax(dim=1), mask)
        return self.dropout(self.graph(spectral, temporal))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """AASIST's names."""
        return PublishedNames(SPECTRO_TEMPORAL_NAMES, PUBLISHED_WORDS)

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """Widths, and the pooling ratios of the published system with these widths."""
        graph_dim = sizes.of("graph.attention_spectral.norm.weight")
        if graph_dim not in _RATIOS:
            raise ValueError(
                f"its graphs are {graph_dim} wide; AASIST has 64 and AASIST-L 24, and the pooling "
                "ratios of other sizes are not in the file"
            )
        hidden_dim = sizes.of("graph.branches.0.layer1.norm.weight")
        return {"graph_dim": graph_dim, "hidden_dim": hidden_dim, **_RATIOS[graph_dim]}
