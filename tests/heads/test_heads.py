"""Conformance of every registered head, every length and mask, messages."""

import re

import pytest
import torch
from golden_names import close
from torch import nn

from amsdf import registry
from amsdf.contracts import Head, ViewShape, mask_of
from amsdf.testing import REPEATED, check_head, view_tensors
from heads._norms import batch_norm
from heads.hm_conformer import HMConformerHead
from heads.meso_inception import MesoInceptionHead
from heads.resnet18 import ResNet18Head

STACK, NODES = ViewShape(24, layers=5), ViewShape(40)
#: Views that each registered head can take, and arguments that keep it small.
SMALL: dict[str, tuple[dict[str, ViewShape], dict]] = {
    "aasist": ({"audio": STACK}, {}),
    "graph-fusion": ({"audio": STACK, "emotion": NODES, "text": NODES}, {"width": 16}),
    "hm-conformer": ({"audio": NODES}, {"width": 32}),
    "layer-attention": ({"text": STACK}, {"width": 16}),
    "meso-inception": ({"text": NODES, "audio": NODES}, {}),
    "pool-linear": ({"audio": STACK, "emotion": NODES}, {"norm": True}),
    "statistics": ({"audio": STACK, "emotion": NODES}, {}),
    "resnet18": ({"audio": NODES}, {}),
    "ssl-aasist": ({"text": NODES}, {}),
}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    views, arguments = SMALL[name]
    head = registry.build("heads", name, views, **arguments)
    for module in head.modules():  # statistics that a mistake would show
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return head.eval()


@pytest.mark.parametrize("name", registry.names("heads"))
def test_every_registered_head_conforms(name: str) -> None:
    """Trap 'mask lost before pooling' among others: a padded clip equals the clip alone."""
    if name not in SMALL:
        pytest.skip("another distribution's head")
    check_head(build(name), SMALL[name][0])


def test_every_head_of_ours_is_in_the_table() -> None:
    assert set(SMALL) <= set(registry.names("heads"))


@pytest.mark.parametrize("nodes", [1, 2, 5, 11, 300])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_any_length(name: str, nodes: int) -> None:
    """From a fraction of a second to many seconds, finite, alone as in the batch."""
    head = build(name)
    given = view_tensors(SMALL[name][0], nodes)
    embedding = head(given)
    assert torch.isfinite(embedding).all()
    close(head({view: tensor[:1] for view, tensor in given.items()}), embedding[:1])


@pytest.mark.parametrize("count", [1, 2, 5, 11, 48])
@pytest.mark.parametrize("name", sorted(set(SMALL) - {"meso-inception"}))
def test_masks_at_any_count(name: str, count: int) -> None:
    """Trap 'mask lost before pooling': counts around every pooling and stride."""
    head = build(name)
    given = view_tensors(SMALL[name][0], 50)
    mask = mask_of(torch.tensor([count, 50, 49]), 50)
    for tensor in given.values():
        tensor[0, ..., count:, :] = 100.0
    together = head(given, dict.fromkeys(given, mask))
    close(head({view: tensor[:1, ..., :count, :] for view, tensor in given.items()}), together[:1])


@pytest.mark.parametrize("name", sorted(SMALL))
def test_gradient_reaches_every_parameter_and_bfloat16_is_finite(name: str) -> None:
    head = build(name)
    given = view_tensors(SMALL[name][0])
    head(given).square().sum().backward()
    silent = [key for key, p in head.named_parameters() if p.grad is None]
    assert not silent
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(head(given)).all()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_training_mode_takes_masks(name: str) -> None:
    head = build(name).train()
    given = view_tensors(SMALL[name][0], 40)
    masks = dict.fromkeys(given, mask_of(torch.tensor([40, 10, 25]), 40))
    out = head(given) if name == "meso-inception" else head(given, masks)
    out.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters())


@pytest.mark.parametrize("nodes", [1, 5, 50])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_batch_of_one_clip_trains(name: str, nodes: int) -> None:
    """Trap: batch norm refuses a single row, which the last batch of an epoch may be."""
    head = build(name).train()
    head(view_tensors(SMALL[name][0], nodes, batch=1)).square().sum().backward()
    gradients = [p.grad for p in head.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_single_row_is_normed_as_in_evaluation() -> None:
    norm = nn.BatchNorm1d(3)
    norm(torch.randn(8, 3) + 2)
    row, running = torch.randn(1, 3), norm.running_mean.clone()
    alone = batch_norm(norm, row)
    assert torch.equal(norm.running_mean, running)
    close(alone, norm.eval()(row), REPEATED)


class Refusing(Head):
    """A head that a plain batch norm keeps from training on one clip."""

    embedding_dim = 40

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(40)

    def forward(self, views: dict, masks: None = None) -> torch.Tensor:
        return self.norm(views["a"].mean(dim=1))


def test_conformance_asks_for_a_batch_of_one() -> None:
    with pytest.raises(AssertionError, match="a batch of one clip does not train: Expected more"):
        check_head(Refusing(), {"a": NODES})


@pytest.mark.parametrize(
    ("name", "views", "message"),
    [
        ("aasist", {"a": STACK, "b": STACK}, "'aasist': takes exactly one view, given 2: a, b"),
        ("aasist", {"a": NODES}, "needs a stack (B, L, N, D), but view 'a' gives (B, N, 40)"),
        ("ssl-aasist", {"a": STACK}, "view 'a' gives a stack of 5 layers: choose a single layer"),
        ("layer-attention", {"a": NODES}, "needs a stack (B, L, N, D)"),
        ("resnet18", {"a": ViewShape(6)}, "needs a view of 7 or more features, 'a' has 6"),
        ("hm-conformer", {}, "takes exactly one view, given 0"),
        ("meso-inception", {"a": NODES}, "takes exactly two views, given 1: a"),
        ("meso-inception", {"a": NODES, "b": ViewShape(64)}, "of one width, 32 or more, given 40"),
        ("meso-inception", {"a": NODES, "b": STACK}, "given a stack: choose a single layer"),
        ("statistics", {}, "needs at least one view, given none"),
        ("pool-linear", {}, "needs at least one view, given none"),
    ],
)
def test_unfit_views_are_refused(name: str, views: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        registry.build("heads", name, views)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": ["a", "c"]}, "order ['a', 'c'] must name the two views: a, b"),
        ({"align": "stretch"}, "align 'stretch' must be 'interpolate' or 'tile'"),
    ],
)
def test_unfit_meso_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MesoInceptionHead({"a": NODES, "b": NODES}, **arguments)


@torch.no_grad()
def test_meso_drops_from_the_map_and_not_from_its_averages() -> None:
    """As published; of an average over four places, all are dropped once in sixteen times."""
    torch.manual_seed(0)
    head = MesoInceptionHead({"a": NODES, "b": NODES}).train()
    embedding = head.embed(torch.randn(1, 2, 32, 8192))
    assert 0.03 < (embedding == 0).float().mean() < 0.1


@pytest.mark.parametrize(
    "arguments", [{"width": 30}, {"kernel": 8}, {"width": 37, "heads": 4}], ids=str
)
def test_unfit_conformer_sizes_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="a width divisible by the heads and an odd kernel"):
        HMConformerHead({"a": NODES}, **arguments)


@pytest.mark.parametrize(("width", "heads"), [(36, 4), (15, 3)])
def test_conformer_takes_any_width_that_the_heads_divide(width: int, heads: int) -> None:
    check_head(HMConformerHead({"a": NODES}, width=width, heads=heads), {"a": NODES})


@torch.no_grad()
def test_conformer_drops_as_the_authors_do() -> None:
    """Three in ten of each level, and no attention weight."""
    torch.manual_seed(0)
    head = HMConformerHead({"a": NODES}, width=64).train()
    nodes = torch.randn(64, 12, 40)
    levels, _ = head.outputs(nodes)
    assert (levels == 0).float().mean(dim=(0, 2)).tolist() == pytest.approx([0.3] * 4, abs=0.03)
    frames = torch.randn(2, 12, 64)
    attention = head.blocks[0].attention
    close(attention(frames, None), attention(frames, None), REPEATED)


def test_conformer_tokens_start_between_zero_and_one() -> None:
    tokens = HMConformerHead({"a": NODES}, width=64).tokens
    assert tokens.min() >= 0 and tokens.max() <= 1


def test_conformer_gives_five_embeddings_the_fused_one_last() -> None:
    torch.manual_seed(0)
    one = HMConformerHead({"a": NODES}, width=16, embedding_dim=8).eval()
    five = HMConformerHead({"a": NODES}, width=16, embedding_dim=8, multi_level=True).eval()
    assert (one.embedding_dim, five.embedding_dim) == (8, 40)
    check_head(five, {"a": NODES})
    missing, unexpected = five.load_state_dict(one.state_dict(), strict=False)
    assert not unexpected and all(key.startswith("level_backends.") for key in missing)
    views = view_tensors({"a": NODES})
    levels, _ = five.outputs(views["a"])
    embedding = five(views)
    close(embedding[:, 32:], one(views))
    close(embedding[:, 8:16], five.level_backends[1](levels[:, 1]))


@torch.no_grad()
def test_resnet18_starts_as_air_does() -> None:
    """He-normal over the outputs for convolutions, He-uniform for the linear layer."""
    torch.manual_seed(0)
    head = ResNet18Head({"a": ViewShape(60)})
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            outputs = module.weight[:, 0].numel()
            tolerance = 5 / module.weight.numel() ** 0.5
            assert float(module.weight.std()) == pytest.approx((2 / outputs) ** 0.5, rel=tolerance)
            assert module.weight.abs().max() > 2.5 * module.weight.std()  # not uniform
    bound = (6 / 512) ** 0.5
    assert 0.99 * bound < float(head.linear.weight.abs().max()) <= bound
