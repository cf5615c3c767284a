"""Graph layers: golden numbers, padding, the lean pair matrix."""

import pytest
import torch
from golden_names import GRAPH_WORDS, close, golden
from torch import Tensor, nn

from amsdf.contracts import mask_of
from heads import _pair_scores
from heads._graph import Graph, add, join, largest_magnitudes, mean_node
from heads._graph_layers import (
    GraphAttention,
    GraphPool,
    HeterogeneousGraphAttention,
)
from heads._pair_scores import pair_scores, plain_pair_scores


def load(module: nn.Module, group: str) -> dict[str, Tensor]:
    """Give `module` the golden weights of `group`; return the other tensors of the group."""
    tensors = golden("graph_layers.safetensors", f"{group}.")
    state = {}
    for key, value in tensors.items():
        if key.startswith("state."):
            state[".".join(GRAPH_WORDS.get(word, word) for word in key.split(".")[1:])] = value
    module.double().eval().load_state_dict(state)
    return {key: value for key, value in tensors.items() if not key.startswith("state.")}


@pytest.mark.parametrize("group", ["gat_a", "gat_b", "gat_one_node"])
def test_graph_attention_golden(group: str) -> None:
    in_dim, out_dim = (64, 64) if group == "gat_b" else (16, 12)
    layer = GraphAttention(in_dim, out_dim, temperature=2.0)
    given = load(layer, group)
    graph = Graph(given["in.x"])
    close(layer.attention(graph), given["out.att"].squeeze(-1))
    close(layer(graph).nodes, given["out.y"])


@pytest.mark.parametrize("master", ["master_given", "master_broadcast", "master_none"])
@pytest.mark.parametrize("group", ["htrg_a", "htrg_b", "htrg_n2_1"])
def test_heterogeneous_attention_golden(group: str, master: str) -> None:
    in_dim, out_dim = (64, 64) if group == "htrg_b" else (16, 12)
    layer = HeterogeneousGraphAttention(in_dim, out_dim, temperature=100.0)
    given = load(layer, group)
    first, second = Graph(given["in.x1"]), Graph(given["in.x2"])
    projected = layer.project(first, second)
    num_first = first.nodes.shape[1]
    close(layer.attention(projected, num_first), given["out.att"].squeeze(-1))
    node = given.get(f"{master}.in.master")
    start = projected.nodes.mean(dim=1, keepdim=True) if node is None else node
    attention = layer.master_attention(projected, start)
    close(attention.transpose(1, 2), given[f"{master}.out.att_master"])
    outputs = layer(first, second, node)
    close(outputs[0].nodes, given[f"{master}.out.y1"])
    close(outputs[1].nodes, given[f"{master}.out.y2"])
    close(outputs[2], given[f"{master}.out.master"])


@pytest.mark.parametrize(
    ("group", "ratio"),
    [
        ("pool_05_n25", 0.5),
        ("pool_088_n29", 0.88),
        ("pool_07_n29", 0.7),
        ("pool_05_n1", 0.5),
        ("pool_03_n3", 0.3),
    ],
)
def test_graph_pool_golden(group: str, ratio: float) -> None:
    pool = GraphPool(16, ratio)
    given = load(pool, group)
    scores, order = pool.rank(Graph(given["in.x"]))
    close(scores, given["out.scores"].squeeze(-1))
    assert torch.equal(order, given["out.kept_index"])
    close(pool(Graph(given["in.x"])).nodes, given["out.y"])


@pytest.mark.parametrize("num_nodes", [1, 4, 5, 6, 50])
def test_lean_pair_scores_equal_the_plain_form(
    num_nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and gradients, with nodes on either side of the edges of a block of five rows."""
    monkeypatch.setattr(_pair_scores, "PAIRS", 2 * num_nodes * 5)
    torch.manual_seed(0)
    linear, vectors = nn.Linear(8, 6), torch.randn(6, 3, requires_grad=True)
    nodes = torch.randn(2, num_nodes, 8, requires_grad=True)
    weights = torch.randn(2, num_nodes, num_nodes, 3)
    plain = plain_pair_scores(nodes, linear, vectors)
    wanted = [nodes, vectors, linear.weight, linear.bias]
    expected = torch.autograd.grad((plain * weights).sum(), wanted)
    lean = pair_scores(nodes, linear, vectors)
    gradients = torch.autograd.grad((lean * weights).sum(), wanted)
    close(lean, plain)
    for gradient, value in zip(gradients, expected, strict=True):
        close(gradient, value)


def test_less_than_half_of_one_pair_matrix_is_kept_for_the_backward_pass() -> None:
    """The straightforward way keeps two of them: the products and what the tanh gives."""
    kept = []
    linear, vectors = nn.Linear(64, 64), torch.randn(64, 1, requires_grad=True)
    nodes = torch.randn(12, 50, 64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        pair_scores(nodes, linear, vectors)
    assert sum(kept) < 0.4 * 12 * 50 * 50 * 64


@pytest.mark.parametrize("count", [1, 5, 13])
def test_padding_changes_no_layer(count: int) -> None:
    """Trap 'mask lost before pooling': attention, batch norm, top-k and its k see real nodes."""
    torch.manual_seed(1)
    layers = nn.ModuleList(
        [GraphAttention(8, 8), HeterogeneousGraphAttention(8, 8), GraphPool(8, 0.4)]
    ).eval()
    nodes = torch.randn(2, 20, 8)
    nodes[0, count:] = 50.0
    mask = mask_of(torch.tensor([count, 20]), 20)

    def run(graph: Graph) -> tuple[Graph, Tensor]:
        attention, fusion, pool = layers
        first, second, master = fusion(attention(graph), attention(graph))
        return pool(add(first, second)), master

    together, master = run(Graph(nodes, mask))
    alone, master_alone = run(Graph(nodes[:1, :count]))
    kept = alone.nodes.shape[1]
    assert kept == max(int(count * 0.4), 1)
    assert together.mask is not None and int(together.mask[0].sum()) == kept
    close(together.nodes[:1, :kept], alone.nodes)
    close(master[:1], master_alone)
    assert not together.nodes[0, kept:].any()
    close(mean_node(together)[:1], mean_node(alone))
    close(largest_magnitudes(together)[:1], largest_magnitudes(alone))


def test_batch_statistics_ignore_padding() -> None:
    """In training too, the running mean is that of the real nodes."""
    torch.manual_seed(2)
    layer = GraphAttention(4, 4, dropout=0.0)
    plain = GraphAttention(4, 4, dropout=0.0)
    plain.load_state_dict(layer.state_dict())
    nodes = torch.randn(3, 6, 4)
    padded = torch.cat([nodes, torch.full((3, 5, 4), 9.0)], dim=1)
    plain(Graph(nodes))
    layer(Graph(padded, mask_of(torch.tensor([6, 6, 6]), 11)))
    close(layer.norm.running_mean, plain.norm.running_mean)


def test_lists_of_unequal_length_are_added_with_zeros() -> None:
    first, second = Graph(torch.ones(2, 3, 4)), Graph(torch.ones(2, 5, 4))
    total = add(first, second)
    assert total.mask is None
    assert total.nodes[0, :, 0].tolist() == [2, 2, 2, 1, 1]
    masked = add(Graph(torch.ones(2, 3, 4), mask_of(torch.tensor([1, 3]), 3)), second)
    assert masked.mask is not None and bool(masked.mask.all())


def test_joined_lists_keep_their_masks() -> None:
    masked = Graph(torch.ones(1, 3, 2), mask_of(torch.tensor([2]), 3))
    joined = join([masked, Graph(torch.ones(1, 2, 2))])
    assert joined.mask is not None
    assert joined.mask[0].tolist() == [True, True, False, True, True]


def test_half_precision_stays_finite() -> None:
    torch.manual_seed(3)
    layer = GraphAttention(8, 8, temperature=2.0).eval().to(torch.bfloat16)
    mask = mask_of(torch.tensor([7, 2]), 7)
    out = layer(Graph((100 * torch.randn(2, 7, 8)).to(torch.bfloat16), mask))
    assert torch.isfinite(out.nodes).all()


@pytest.mark.parametrize("ratio", [0.0, 1.5])
def test_impossible_ratio_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"pooling ratio {ratio} must be above 0"):
        GraphPool(8, ratio)
