"""Graph attention, heterogeneous graph attention and graph pooling, on padded node lists.

The layers of AASIST (Jung et al., ICASSP 2022), which AMSDF uses too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.contracts import mask_of
from heads._graph import Graph, join, mean_node, normalise
from heads._pair_scores import pair_scores

#: How AASIST, SSL_Anti-spoofing and AMSDF call the weights of these layers.
PUBLISHED_WORDS = {
    "att_proj": "pair_linear",
    "att_weight": "pair_vector",
    "att_weight11": "pair_vector11",
    "att_weight12": "pair_vector12",
    "att_weight22": "pair_vector22",
    "att_projM": "master_linear",
    "att_weightM": "master_vector",
    "proj_type1": "linear_type1",
    "proj_type2": "linear_type2",
    "proj_with_att": "linear_attended",
    "proj_without_att": "linear_self",
    "proj_with_attM": "master_attended",
    "proj_without_attM": "master_self",
    "proj": "score",
    "bn": "norm",
}


def attend(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Soft-max over the real nodes of the last axis: scores (B, N, N), mask (B, N) -> (B, N, N)."""
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return scores.softmax(dim=-1)


def attention_vector(dim: int) -> nn.Parameter:
    """A learned vector (dim, 1) that turns a projected pair into its score."""
    return nn.Parameter(nn.init.xavier_normal_(torch.empty(dim, 1)))


class GraphAttention(nn.Module):
    """Attention among nodes of one kind.

    Args:
        in_dim: Width of the nodes given.
        out_dim: Width of the nodes returned.
        temperature: Divides the scores before the soft-max.
        dropout: On the nodes given.
    """

    def __init__(
        self, in_dim: int, out_dim: int, temperature: float = 1.0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.pair_linear = nn.Linear(in_dim, out_dim)
        self.pair_vector = attention_vector(out_dim)
        self.linear_attended = nn.Linear(in_dim, out_dim)
        self.linear_self = nn.Linear(in_dim, out_dim)
        self.norm = nn.BatchNorm1d(out_dim)
        self.dropout = nn.Dropout(dropout)

    def attention(self, graph: Graph) -> Tensor:
        """(B, N, D) -> (B, N, N): how much each node (row) looks at each other."""
        scores = pair_scores(graph.nodes, self.pair_linear, self.pair_vector).squeeze(-1)
        return attend(scores / self.temperature, graph.mask)

    def forward(self, graph: Graph) -> Graph:
        """(B, N, in_dim) -> (B, N, out_dim)."""
        graph = graph._replace(nodes=self.dropout(graph.nodes))
        # The node itself has a layer of its own: of attended means alone, all nodes of a clip would
        # become alike.
        attended = self.linear_attended(self.attention(graph) @ graph.nodes)
        mixed = Graph(attended + self.linear_self(graph.nodes), graph.mask)
        return Graph(F.selu(normalise(self.norm, mixed)), graph.mask)


class HeterogeneousGraphAttention(nn.Module):
    """Attention among nodes of two kinds, with a master node that gathers from both.

    Pairs are scored by a vector of their own for 1-1, 2-2 and mixed pairs. The master does not act
    on the nodes.

    Args:
        in_dim: Width of the nodes and the master given.
        out_dim: Width of the nodes and the master returned.
        temperature: Divides the scores before the soft-max.
        dropout: On the projected nodes.
    """

    def __init__(
        self, in_dim: int, out_dim: int, temperature: float = 1.0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.linear_type1 = nn.Linear(in_dim, in_dim)
        self.linear_type2 = nn.Linear(in_dim, in_dim)
        self.pair_linear = nn.Linear(in_dim, out_dim)
        self.pair_vector11 = attention_vector(out_dim)
        self.pair_vector12 = attention_vector(out_dim)
        self.pair_vector22 = attention_vector(out_dim)
        self.linear_attended = nn.Linear(in_dim, out_dim)
        self.linear_self = nn.Linear(in_dim, out_dim)
        self.master_linear = nn.Linear(in_dim, out_dim)
        self.master_vector = attention_vector(out_dim)
        self.master_attended = nn.Linear(in_dim, out_dim)
        self.master_self = nn.Linear(in_dim, out_dim)
        self.norm = nn.BatchNorm1d(out_dim)
        self.dropout = nn.Dropout(dropout)

    def project(self, first: Graph, second: Graph) -> Graph:
        """Both lists, each by its own layer, one after the other: -> (B, N1 + N2, in_dim)."""
        return join(
            [
                Graph(self.linear_type1(first.nodes), first.mask),
                Graph(self.linear_type2(second.nodes), second.mask),
            ]
        )

    def attention(self, graph: Graph, num_first: int) -> Tensor:
        """Projected nodes (B, N, in_dim), the first `num_first` of kind 1 -> (B, N, N)."""
        # All three scores of every pair, then the one of its kind: 1-1 is 0, mixed 1, 2-2 is 2. One
        # vector serves both directions of a mixed pair, so the scores stay symmetric.
        vectors = torch.cat([self.pair_vector11, self.pair_vector12, self.pair_vector22], dim=1)
        scores = pair_scores(graph.nodes, self.pair_linear, vectors)
        second = (torch.arange(scores.shape[1], device=scores.device) >= num_first).long()
        kind = (second[:, None] + second[None, :]).expand(scores.shape[:-1])
        chosen = scores.gather(-1, kind[..., None]).squeeze(-1)
        return attend(chosen / self.temperature, graph.mask)

    def master_attention(self, graph: Graph, master: Tensor) -> Tensor:
        """Projected nodes (B, N, in_dim), master (B or 1, 1, in_dim) -> (B, 1, N)."""
        scores = torch.tanh(self.master_linear(graph.nodes * master)) @ self.master_vector
        return attend(scores.transpose(1, 2) / self.temperature, graph.mask)

    def forward(
        self, first: Graph, second: Graph, master: Tensor | None = None
    ) -> tuple[Graph, Graph, Tensor]:
        """Update both lists and the master.

        Args:
            first: Nodes (B, N1, in_dim) of kind 1.
            second: Nodes (B, N2, in_dim) of kind 2.
            master: (B, 1, in_dim) or (1, 1, in_dim); without it, the mean of the projected nodes.

        Returns:
            Nodes (B, N1, out_dim), nodes (B, N2, out_dim), master (B, 1, out_dim).
        """
        num_first = first.nodes.shape[1]
        graph = self.project(first, second)
        if master is None:
            master = mean_node(graph)[:, None]

        # The master reads the nodes as they were before they saw each other.
        graph = graph._replace(nodes=self.dropout(graph.nodes))
        gathered = self.master_attention(graph, master) @ graph.nodes
        attended = self.linear_attended(self.attention(graph, num_first) @ graph.nodes)
        mixed = Graph(attended + self.linear_self(graph.nodes), graph.mask)
        nodes = F.selu(normalise(self.norm, mixed))

        return (
            Graph(nodes[:, :num_first], first.mask),
            Graph(nodes[:, num_first:], second.mask),
            self.master_attended(gathered) + self.master_self(master),
        )


class GraphPool(nn.Module):
    """Keep the nodes of highest score, in falling order, each multiplied by its score.

    Args:
        dim: Width of the nodes.
        ratio: Share of the real nodes kept: floor(n * ratio), at least one.
        dropout: On the input of the score only.
    """

    def __init__(self, dim: int, ratio: float, dropout: float = 0.3) -> None:
        super().__init__()
        if not 0 < ratio <= 1:
            raise ValueError(f"pooling ratio {ratio} must be above 0 and at most 1")
        self.ratio = ratio
        self.score = nn.Linear(dim, 1)
        self.dropout = nn.Dropout(dropout)

    def rank(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """(B, N, D) -> scores (B, N) in [0, 1], 0 on padding, and kept positions (B, K)."""
        logits = self.score(self.dropout(graph.nodes)).squeeze(-1)
        if graph.mask is not None:
            logits = logits.masked_fill(~graph.mask, -torch.inf)
        # The sigmoid saturates, so the order is taken before it.
        order = logits.sort(dim=1, descending=True, stable=True).indices
        return logits.sigmoid(), order[:, : max(int(logits.shape[1] * self.ratio), 1)]

    def kept_mask(self, graph: Graph, num_kept: int) -> Tensor | None:
        """True on those of the `num_kept` positions that each clip's own node count allows."""
        if graph.mask is None:
            return None
        counts = (graph.mask.sum(dim=1).double() * self.ratio).floor().clamp(min=1)
        return mask_of(counts, num_kept)

    def forward(self, graph: Graph) -> Graph:
        """(B, N, D) -> (B, max(floor(N * ratio), 1), D)."""
        scores, order = self.rank(graph)
        # A choice of nodes has no gradient. Times its score, each node kept teaches the score.
        weighted = graph.nodes * scores[..., None]
        nodes = weighted.gather(1, order[..., None].expand(-1, -1, weighted.shape[-1]))
        mask = self.kept_mask(graph, order.shape[1])
        return Graph(nodes if mask is None else nodes.masked_fill(~mask[..., None], 0), mask)
