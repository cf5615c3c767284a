"""The other heads: golden numbers, conformance of every registered head, messages."""

import re

import numpy as np
import pytest
import torch
from golden_names import close, golden
from torch import Tensor, nn

from amsdf import registry
from amsdf.contracts import ViewShape, mask_of
from amsdf.testing import check_head, view_tensors
from heads.hm_conformer import HMConformerHead
from heads.layer_attention import LayerAttentionHead
from heads.meso_inception import MesoInceptionHead
from heads.pooling import AttentivePooling, mean_and_deviation
from heads.resnet18 import ResNet18Head

STACK, NODES = ViewShape(24, layers=5), ViewShape(40)
#: Views that each registered head can take, and arguments that keep it small.
SMALL: dict[str, tuple[dict[str, ViewShape], dict]] = {
    "aasist": ({"audio": STACK}, {}),
    "graph-fusion": ({"audio": STACK, "emotion": NODES, "text": NODES}, {"width": 16}),
    "hm-conformer": ({"audio": NODES}, {"width": 32}),
    "layer-attention": ({"text": STACK}, {"width": 16}),
    "meso-inception": ({"text": NODES, "audio": NODES}, {}),
    "pool-linear": ({"audio": STACK, "emotion": NODES}, {}),
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


@pytest.mark.parametrize(
    "arguments", [{"width": 30}, {"kernel": 8}, {"width": 36, "heads": 4}], ids=str
)
def test_unfit_conformer_sizes_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="a width divisible by twice the heads and an odd kernel"):
        HMConformerHead({"a": NODES}, **arguments)


# Golden numbers


def wave_image(shape: tuple[int, int, int, int], k: tuple[float, float, float, float]) -> Tensor:
    """The input formula of the golden README: (B, C, F, T)."""
    b, c, f, t = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    k1, k2, k3, p = k
    image = np.sin(k1 * f + k2 * t * (1 + c) + p * (1 + b)) * np.cos(
        k3 * t - 0.31 * c + 0.11 * b * f
    )
    return torch.from_numpy(image).float()


def weights(group: str, renamed: dict[str, str]) -> dict[str, Tensor]:
    """The weights of a golden group with every fragment of `renamed` replaced, longest first."""
    state = {}
    for key, value in golden("heads.safetensors", group).items():
        for theirs in sorted(renamed, key=len, reverse=True):
            key = key.replace(theirs, renamed[theirs])
        state[key] = value
    return state


@pytest.mark.parametrize("deviation", [True, False])
def test_attentive_pooling_golden(deviation: bool) -> None:
    tensors = golden("heads.safetensors", "attpool/")
    pooling = AttentivePooling(24, deviation=deviation).eval()
    pooling.load_state_dict({"vector": tensors["att_weights"]})
    close(pooling(tensors["x"]), tensors["mean_std" if deviation else "mean_only"])


def test_attentive_noise_is_for_training_only() -> None:
    """Scores of two evaluation passes are equal to the bit; one frame gives no NaN."""
    pooling = AttentivePooling(4)
    frames = torch.randn(2, 6, 4)
    assert not torch.equal(pooling(frames), pooling(frames))
    pooling.eval()
    assert torch.equal(pooling(frames), pooling(frames))
    assert torch.isfinite(pooling(frames[:, :1])).all()


def test_mean_and_deviation_by_hand() -> None:
    frames = torch.tensor([[[1.0], [3.0], [99.0]]])
    pooled = mean_and_deviation(frames, torch.tensor([[True, True, False]]))
    close(pooled, torch.tensor([[2.0, 2.0**0.5]]))


@torch.no_grad()
def test_layer_attention_golden() -> None:
    tensors = golden("heads.safetensors", "blinear/")
    head = LayerAttentionHead({"text": ViewShape(32, layers=5)}, width=16, embedding_dim=24).eval()
    state = {}
    for key, value in golden("heads.safetensors", "blinear/w/").items():
        words = key.removeprefix("bridge_module.").split(".")
        name = (
            {
                "squeeze_module_linears": f"squeezes.{words[1]}.{'.'.join(words[2:])}",
                "squeeze_module_norms": f"squeezes.{words[1]}.norm.{words[-1]}",
                "AHP_W_att": "layer_vector",
                "AHP_ASP": "pooling.vector"
                if len(words) == 2
                else f"squeezes.{words[1]}.pooling.vector",
                "layer_norm": f"norm.{words[-1]}",
            }.get(words[0], key)
            if len(words) > 1
            else "layer_vector"
        )
        state[name.replace("w_1", "linear1").replace("w_2", "linear2")] = value
    head.load_state_dict(state)
    sequence = head.bridge(tensors["x"])
    close(sequence, tensors["after_bridge"])
    close(head.pooling(sequence), tensors["pooled"])
    embedding = head({"text": tensors["x"]})
    close(embedding, tensors["embedding"])
    cosine = nn.functional.cosine_similarity(embedding, tensors["center"])
    close(cosine[:, None], tensors["scores"])


MESO_NAMES = {
    **{f"Incption{n}_conv1.": f"inception{n}.point." for n in (1, 2)},
    **{
        f"Incption{n}_conv{i + 2}_{j + 1}.": f"inception{n}.branches.{i}.{j}."
        for n in (1, 2)
        for i in range(3)
        for j in range(2)
    },
    **{f"Incption{n}_bn.": f"inception{n}.norm." for n in (1, 2)},
    "bn1.": "norm.",
}


def meso_head(**arguments: str) -> tuple[MesoInceptionHead, dict[str, Tensor]]:
    state = weights("meso/w/", MESO_NAMES)
    classifier = {key: state.pop(key) for key in list(state) if key.startswith("fc")}
    views = {"text": ViewShape(384), "audio": ViewShape(384)}
    head = MesoInceptionHead(views, **arguments).eval()
    head.load_state_dict(state)
    return head, classifier


@torch.no_grad()
def test_meso_golden() -> None:
    head, classifier = meso_head()
    tensors = golden("heads.safetensors", "meso/small/")
    image = head.inception1(tensors["x"])
    close(image, tensors["after_inception1"])
    close(head.inception2(image), tensors["after_inception2"])
    close(head.embed(tensors["x"]), tensors["feat"])
    assert sum(p.numel() for p in [*head.parameters(), *classifier.values()]) == 28_497


@torch.no_grad()
def test_meso_golden_at_full_size() -> None:
    """From the views: the Whisper channel of 1500 frames is tiled to 3000 elsewhere; here both."""
    head, _ = meso_head()
    tensors = golden("heads.safetensors", "meso/full/")
    image = wave_image((1, 2, 384, 3000), (0.21, 0.093, 0.017, 0.7))
    close(image[0, :, ::64, ::500], tensors["x_probe"], 1e-6)
    views = {name: image[:, channel].transpose(1, 2) for channel, name in enumerate(head.order)}
    close(head(views), tensors["feat"])


@pytest.mark.parametrize("align", ["interpolate", "tile"])
def test_meso_alignment(align: str) -> None:
    """Interpolated frames stay in step with the other view; tiled ones begin again."""
    head, _ = meso_head(align=align)
    ramp = torch.arange(40.0)[None, :, None].expand(1, 40, 384)
    image = head.image({"text": ramp, "audio": torch.zeros(1, 80, 384)})
    assert image.shape == (1, 2, 384, 80)
    assert float(image[0, 0, 0, 60]) == pytest.approx(20 if align == "tile" else 29.75)


RESNET_NAMES = {
    "attention.att_weights": "pooling.vector",
    "conv5.": "conv_out.",
    "bn5.": "norm_out.",
    "fc.": "linear.",
    **{f"layer{n}.{k}.": f"blocks.{2 * n - 2 + k}." for n in (1, 2, 3, 4) for k in (0, 1)},
}


def resnet_shapes() -> dict[str, tuple[int, ...]]:
    """Key to shape of the published ResNet-18, from the recipe of the golden README."""
    shapes: dict[str, tuple[int, ...]] = {
        "attention.att_weights": (1, 256),
        "conv1.weight": (16, 1, 9, 3),
        "conv5.weight": (256, 512, 3, 3),
        "fc.bias": (256,),
        "fc.weight": (256, 512),
        "fc_mu.bias": (2,),
        "fc_mu.weight": (2, 256),
    }
    norms = {"bn1": 16, "bn5": 256}
    before = 16
    for number, planes in enumerate((64, 128, 256, 512), start=1):
        for k in (0, 1):
            block = f"layer{number}.{k}"
            shapes[f"{block}.conv1.weight"] = (planes, before, 3, 3)
            shapes[f"{block}.conv2.weight"] = (planes, planes, 3, 3)
            norms |= {f"{block}.bn1": before, f"{block}.bn2": planes}
            if k == 0:
                shapes[f"{block}.shortcut.0.weight"] = (planes, before, 1, 1)
            before = planes
    for norm, width in norms.items():
        for word in ("bias", "running_mean", "running_var", "weight"):
            shapes[f"{norm}.{word}"] = (width,)
    return shapes


def resnet_weights() -> dict[str, Tensor]:
    """The weights of the golden README's recipe, under the published names."""
    draws = np.random.RandomState(9102)
    state = {}
    for key, shape in sorted(resnet_shapes().items()):
        z, word = draws.standard_normal(shape), key.rsplit(".", 1)[-1]
        if word == "running_var":
            value = 0.5 + np.abs(z)
        elif word == "weight" and len(shape) == 1:
            value = 1 + 0.1 * z
        elif len(shape) == 1:
            value = 0.1 * z
        else:
            value = z / np.sqrt(np.prod(shape[1:]))
        state[key] = torch.from_numpy(value).float()
    return state


@torch.no_grad()
def test_resnet18_golden() -> None:
    tensors = golden("heads.safetensors", "resnet18/")
    published = resnet_weights()
    sums = torch.tensor([float(w.double().abs().sum()) for w in published.values()])
    close(sums.double() / tensors["weights_checksum_abs_sum"], torch.ones(99), 1e-5)
    state = {}
    for key, value in published.items():
        for theirs in sorted(RESNET_NAMES, key=len, reverse=True):
            key = key.replace(theirs, RESNET_NAMES[theirs])
        key = key.replace("bn1", "norm1").replace("bn2", "norm2").replace("shortcut.0", "shortcut")
        key = {"conv1.weight": "conv_in.weight"}.get(key, key)
        key = "norm_in." + key.removeprefix("norm1.") if key.startswith("norm1.") else key
        state[key] = value
    mu = [state.pop("fc_mu.weight"), state.pop("fc_mu.bias")]
    head = ResNet18Head({"audio": ViewShape(60)}).eval()
    missing, unexpected = head.load_state_dict(state, strict=False)
    assert not unexpected and all(key.endswith("num_batches_tracked") for key in missing)
    image = wave_image((2, 1, 60, 750), (0.37, 0.051, 0.023, 0.9))
    close(image[:, 0, ::7, ::100], tensors["x_probe"], 1e-6)
    stages: dict[int, Tensor] = {}
    for number, block in enumerate(head.blocks):
        block.register_forward_hook(lambda *call, number=number: stages.update({number: call[-1]}))
    views = {"audio": image[:, 0].transpose(1, 2)}
    embedding = head(views)
    for stage in (1, 2, 3, 4):
        out = stages[2 * stage - 1]
        assert out.shape == tuple(tensors[f"after_layer{stage}_shape"])
        close(out[:, :: out.shape[1] // 8, :, ::25], tensors[f"after_layer{stage}_probe"])
    close(embedding, tensors["feat"])
    close(embedding @ mu[0].T + mu[1], tensors["mu"])
    close(head({"audio": views["audio"][:1]}), tensors["batch1_feat"])
    assert sum(p.numel() for p in [*head.parameters(), *mu]) == 12_450_290


CONFORMER_NAMES = {
    "conformer_mp.encoders.": "blocks.",
    "conformer_mp.after_norm.": "norm.",
    "conformer_mp.embed.conv.0.": "subsampling.conv.",
    "conformer_mp.embed.out.0.": "subsampling.linear.",
    "attn.mm_weights": "pooling.vector",
    "conv_module.pointwise_conv1.": "convolution.pointwise1.",
    "conv_module.pointwise_conv2.": "convolution.pointwise2.",
    "conv_module.depthwise_conv.": "convolution.depthwise.",
    "conv_module.norm.": "convolution.norm.",
    "feed_forward_macaron.w_": "feed_forward1.linear",
    "feed_forward.w_": "feed_forward2.linear",
    "norm_ff_macaron.": "norm_feed_forward1.",
    "norm_ff.": "norm_feed_forward2.",
    "norm_mha.": "norm_attention.",
    "norm_conv.": "norm_convolution.",
    "norm_final.": "norm_out.",
    "self_attn.linear_q.": "attention.query.",
    "self_attn.linear_k.": "attention.key.",
    "self_attn.linear_v.": "attention.value.",
    "self_attn.linear_out.": "attention.out.",
    "self_attn.linear_pos.": "attention.position.",
    "self_attn.pos_bias_u": "attention.content_bias",
    "self_attn.pos_bias_v": "attention.position_bias",
    **{f"fc{i}.": f"token_projections.{i}.linear." for i in range(3)},
    **{f"bn{i}.": f"token_projections.{i}.norm." for i in range(3)},
    "fc3.": "fusion.linear.",
    "bn3.": "fusion.norm.",
}


@torch.no_grad()
def test_hm_conformer_golden() -> None:
    tensors = golden("heads.safetensors", "hmconformer/")
    state = weights("hmconformer/w/", CONFORMER_NAMES)
    embed = "conformer_mp.embed.cls_token"
    state["tokens"] = torch.cat([state.pop(f"{embed}1"), state.pop(embed)], dim=1)
    names = {"fc.": "backend.linear.", "bn.": "backend.norm."}
    state |= weights("hmconformer/backend_w/", names)
    head = HMConformerHead(
        {"audio": ViewShape(24)}, width=16, hidden_dim=32, embedding_dim=8
    ).eval()
    missing, unexpected = head.load_state_dict(state, strict=False)
    assert not unexpected and all(key.endswith("num_batches_tracked") for key in missing)
    tokens, frames, _ = head.encode(tensors["x"])
    close(tokens, tensors["encoder_cls_tokens"])
    close(frames, tensors["encoder_frames"])
    parts, fused = head.outputs(tensors["x"])
    close(parts, tensors["embedding"])
    close(fused, tensors["output"].squeeze(1))
    close(head({"audio": tensors["x"]}), tensors["backend_of_output"])
    close(head.backend(parts[:, 0]), tensors["backend_of_embedding0"])
