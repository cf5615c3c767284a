"""The AMSDF fusion: golden numbers, any views, padding, explanation, messages."""

import math
from pathlib import Path

import pytest
import torch
from golden_names import close, golden, translate
from kept_files import golden_path
from torch import Tensor, nn

from amsdf.contracts import ViewShape, mask_of
from amsdf.testing import REPEATED, check_head, view_tensors
from heads import graph_fusion
from heads._graph import Graph
from heads._view_adapters import average_to
from heads.graph_fusion import GraphFusionHead

ROOT = Path(__file__).parents[2]
PUBLISHED_VIEWS = {
    "audio": ViewShape(64),
    "emotion": ViewShape(256),
    "text": ViewShape(1024),
}
MANY_VIEWS = {
    "audio": ViewShape(24),
    "emotion": ViewShape(40),
    "text": ViewShape(32, layers=3),
    "music": ViewShape(8),
    "video": ViewShape(64),
}
PREFIXES = {
    "GAT_audio": "attentions.audio",
    "GAT_emo": "attentions.emotion",
    "GAT_text": "attentions.text",
    "pool_audio": "pools.audio",
    "pool_emo": "pools.emotion",
    "pool_text": "pools.text",
    "out_layer": "out_linear",
    "text_view_extract.linear": "adapters.text.linear",
    "text_view_extract.bn": "adapters.text.norm",
    "emo_view_extract.bn": "adapters.emotion.norm",
}
for core, fusion in {
    "Core_AE": "pairs.audio+emotion",
    "Core_AT": "pairs.audio+text",
    "Core_ET": "pairs.emotion+text",
    "Core_AET": "chain.0",
}.items():
    PREFIXES[f"{core}.HtrgGAT_layer1"] = f"{fusion}.layer1"
    PREFIXES[f"{core}.HtrgGAT_layer2"] = f"{fusion}.layer2"
    PREFIXES[f"{core}.stack_node"] = f"{fusion}.stack_node"
for number in (1, 2, 3):
    PREFIXES[f"GRS_group{number}"] = f"readouts.{number - 1}"


def published_head() -> GraphFusionHead:
    torch.manual_seed(0)
    return GraphFusionHead(PUBLISHED_VIEWS, published=True).eval()


@pytest.fixture(scope="module")
def loaded() -> tuple[GraphFusionHead, dict[str, Tensor]]:
    """The head with the golden fusion weights; the adapters keep their own."""
    tensors = golden("amsdf_head.safetensors")
    state = {key[6:]: value for key, value in tensors.items() if key.startswith("state.")}
    head = published_head().double()
    ours = translate(state, PREFIXES)
    assert set(head.state_dict()) - set(ours) == {
        key for key in head.state_dict() if key.startswith("adapters.")
    }
    head.load_state_dict({**head.state_dict(), **ours})
    return head, tensors


def golden_graphs(tensors: dict[str, Tensor]) -> dict[str, Graph]:
    names = {"audio": "audio", "emotion": "emo", "text": "text"}
    return {name: Graph(tensors[f"input.{theirs}_view"]) for name, theirs in names.items()}


def test_amsdf_is_spelt_out_as_its_paper_is_titled() -> None:
    """What the letters stand for, wherever they are explained; nothing about it is adaptive."""
    texts = [graph_fusion.__doc__ or "", (ROOT / "README.md").read_text("utf-8")]
    texts.append((ROOT / "amsdf/config/recipes/amsdf.yaml").read_text("utf-8"))
    for text in texts:
        words = " ".join(text.replace("#", " ").split()).lower()
        assert "audio multi-view spoofing detection framework" in words
        assert "adaptive multi" not in words


@pytest.mark.any_processor
@torch.no_grad()
def test_fusion_golden(loaded: tuple[GraphFusionHead, dict[str, Tensor]]) -> None:
    head, tensors = loaded
    graphs = golden_graphs(tensors)
    hidden = head.fuse(graphs)
    close(hidden, tensors["out.last_hidden"])
    groups = [tensors[f"out.GRS_group{number}"] for number in (1, 2, 3)]
    close(hidden, torch.cat(groups, dim=1))
    embedding = head.out_linear(hidden)
    close(embedding, tensors["out.out_layer"])
    weight = tensors["state.out_layer2.weight"]
    close(embedding @ weight.T + tensors["state.out_layer2.bias"], tensors["out.logits"])


@torch.no_grad()
def test_fusion_stages_golden(loaded: tuple[GraphFusionHead, dict[str, Tensor]]) -> None:
    head, tensors = loaded
    pooled = {}
    for name, graph in golden_graphs(tensors).items():
        theirs = "emo" if name == "emotion" else name
        attended = head.attentions[name](graph)
        pooled[name] = head.pools[name](attended)
        close(attended.nodes, tensors[f"out.GAT_{theirs}"])
        close(pooled[name].nodes, tensors[f"out.pool_{theirs}"])
    fused = {}
    for core, (a, b) in {"AE": "ae", "AT": "at", "ET": "et"}.items():
        names = {"a": "audio", "e": "emotion", "t": "text"}
        pair = head.pairs[f"{names[a]}+{names[b]}"]
        fused[core], stack = pair(pooled[names[a]], pooled[names[b]])
        close(fused[core].nodes, tensors[f"out.Core_{core}.graph"])
        close(stack.nodes, tensors[f"out.Core_{core}.stack"])
    graph, stack = head.chain[0](fused["AE"], fused["ET"])
    close(graph.nodes, tensors["out.Core_AET.graph"])
    close(stack.nodes, tensors["out.Core_AET.stack"])


@torch.no_grad()
def test_published_checkpoint_from_the_views_on() -> None:
    """The tiny whole AMSDF: its emotion adapter, and its views to the logits."""
    path = golden_path("amsdf_full_tiny_ckpt.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    tensors = golden("amsdf_full_tiny_ckpt.safetensors", "out.")
    head = published_head().double()
    head.load_state_dict(translate(state, PREFIXES), strict=True)
    close(head.adapters["emotion"](tensors["acrnn"]).nodes, tensors["emo_view_extract"])
    names = {"audio": "audio", "emotion": "emo", "text": "text"}
    embedding = head.out_linear(
        head.fuse({ours: Graph(tensors[f"{name}_view_extract"]) for ours, name in names.items()})
    )
    logits = embedding @ state["out_layer2.weight"].double().T + state["out_layer2.bias"]
    close(logits, tensors["logits"])


def test_parameter_counts_are_the_published_ones() -> None:
    """332,939 with the classifier (130), then the norms and the linear layer of the adapters."""
    head = published_head()
    adapters = sum(p.numel() for p in head.adapters.parameters())
    assert sum(p.numel() for p in head.parameters()) - adapters + 130 == 332_939
    assert adapters == 131_200 + 2 * 100


@torch.no_grad()
def test_published_adapters_by_hand() -> None:
    """Pooling over (time, feature), norm by time position, SELU; the spare frame is dropped."""
    head = published_head()
    views = view_tensors({"text": ViewShape(1024)}, 201)
    views |= view_tensors({"emotion": ViewShape(256)}, 150)
    views |= view_tensors({"audio": ViewShape(64)}, 29)
    graphs = head.graphs(views)
    assert {name: tuple(graph.nodes.shape) for name, graph in graphs.items()} == {
        "audio": (3, 29, 64),
        "emotion": (3, 50, 64),
        "text": (3, 50, 64),
    }
    window = views["emotion"][1, 6:9, 8:12].max() / math.sqrt(1 + 1e-5)
    close(graphs["emotion"].nodes[1, 2, 2], nn.functional.selu(window))
    assert torch.equal(graphs["audio"].nodes, views["audio"])
    assert head(views).shape == (3, 64)
    alone = head({name: view[:1] for name, view in views.items()})
    close(alone, head(views)[:1])


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_two_to_five_views_conform(count: int) -> None:
    """Trap 'mask lost before pooling' is in the check, for every number of views."""
    torch.manual_seed(count)
    views = dict(list(MANY_VIEWS.items())[:count])
    head = GraphFusionHead(views, width=16, nodes=20)
    check_head(head, views)
    assert len(head.pairs) == count * (count - 1) // 2 and len(head.chain) == count - 2


@pytest.mark.parametrize("nodes", [1, 2, 7, 120])
def test_views_of_different_length(nodes: int) -> None:
    """Lists of unequal length meet in the fusion; a single node is enough."""
    torch.manual_seed(4)
    views = {"audio": ViewShape(12), "text": ViewShape(8), "emotion": ViewShape(16)}
    head = GraphFusionHead(views, width=16).eval()
    given = view_tensors({"audio": views["audio"]}, nodes)
    given |= view_tensors({"text": views["text"]}, 33)
    given |= view_tensors({"emotion": views["emotion"]}, 5)
    masks = {name: mask_of(torch.tensor([v.shape[1]] * 3), v.shape[1]) for name, v in given.items()}
    close(head(given, masks), head(given))


def test_order_of_views_in_the_file_does_not_matter() -> None:
    torch.manual_seed(5)
    views = dict(list(MANY_VIEWS.items())[:3])
    turned = dict(reversed(views.items()))
    head, other = GraphFusionHead(views, width=8).eval(), GraphFusionHead(turned, width=8).eval()
    other.load_state_dict(head.state_dict())
    given = view_tensors(views, 20)
    close(other(dict(reversed(given.items()))), head(given), REPEATED)


def test_training_step_with_one_clip_and_masks() -> None:
    """Batch norm in training mode lives with a single clip and with padding."""
    torch.manual_seed(6)
    views = dict(list(MANY_VIEWS.items())[:3])
    head = GraphFusionHead(views, width=8).train()
    given = view_tensors(views, 12, batch=1)
    masks = {name: mask_of(torch.tensor([9]), 12) for name in views}
    head(given, masks).square().sum().backward()
    assert all(p.grad is not None for p in head.parameters())


@pytest.mark.parametrize(("count", "nodes"), [(3, 8), (8, 8), (20, 8), (21, 8), (5, 1)])
def test_average_to_spans(count: int, nodes: int) -> None:
    """The same spans as torch's adaptive average, whatever stands behind the mask."""
    torch.manual_seed(7)
    view = torch.randn(2, 30, 4)
    graph = average_to(Graph(view, mask_of(torch.tensor([count, 30]), 30)), nodes)
    target = min(count, nodes)
    flat = nn.functional.adaptive_avg_pool1d(view[:1, :count].transpose(1, 2), target)
    close(graph.nodes[:1, :target], flat.transpose(1, 2))
    assert graph.mask is not None and int(graph.mask[0].sum()) == target


@pytest.mark.parametrize(
    ("views", "arguments", "message"),
    [
        ({"audio": ViewShape(64)}, {}, "fuses two or more views, given 1: audio"),
        (PUBLISHED_VIEWS, {"adapters": {"audi": "linear"}}, "a view 'audi'. Did you mean 'audio'"),
        (PUBLISHED_VIEWS, {"ratios": {"sound": 0.5}}, "ratios names a view 'sound'"),
        (PUBLISHED_VIEWS, {"adapters": {"text": "liner"}}, "'liner'. Did you mean 'linear'"),
        (PUBLISHED_VIEWS, {"adapters": {"text": "identity"}}, "needs nodes .B, N, 64., given"),
        (PUBLISHED_VIEWS, {"adapters": {"text": "max-pool"}}, "cannot make width 64 of 1024"),
        (MANY_VIEWS, {"published": True}, "published takes the views audio.*given 'music'"),
        (PUBLISHED_VIEWS, {"ratios": {"text": 0}}, "pooling ratio 0 must be above 0"),
    ],
)
def test_impossible_settings_are_refused(views: dict, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphFusionHead(views, **arguments)


def test_published_adapters_refuse_other_lengths_and_padding() -> None:
    head = published_head()
    given = view_tensors(PUBLISHED_VIEWS, 201)
    with pytest.raises(ValueError, match="needs 150 nodes, given 201: fit clips to 64600"):
        head(given)
    masks = {name: mask_of(torch.tensor([201, 9, 9]), 201) for name in given}
    with pytest.raises(ValueError, match="works on clips of one length only"):
        head(given, masks)
