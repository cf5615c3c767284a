"""The other heads against golden numbers: pooling, EBM, MesoInception, ResNet-18, HM-Conformer."""

from typing import Any

import numpy as np
import pytest
import torch
from golden_names import close, golden
from torch import Tensor, nn

from amsdf.contracts import ViewShape
from amsdf.testing import REPEATED
from heads._pooling import AttentivePooling, mean_and_deviation
from heads.hm_conformer import HMConformerHead
from heads.layer_attention import LayerAttentionHead
from heads.meso_inception import MesoInceptionHead
from heads.resnet18 import ResNet18Head


def wave_image(shape: tuple[int, int, int, int], k: tuple[float, float, float, float]) -> Tensor:
    """The input formula of the golden README: (B, C, F, T)."""
    b, c, f, t = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    k1, k2, k3, p = k
    image = np.sin(k1 * f + k2 * t * (1 + c) + p * (1 + b)) * np.cos(
        k3 * t - 0.31 * c + 0.11 * b * f
    )
    return torch.from_numpy(image).float().double()  # the reference was given float32


def rename(key: str, renamed: dict[str, str]) -> str:
    """The key with every fragment of `renamed` replaced, longest first."""
    for theirs in sorted(renamed, key=len, reverse=True):
        key = key.replace(theirs, renamed[theirs])
    return key


def weights(group: str, renamed: dict[str, str]) -> dict[str, Tensor]:
    """The weights of a golden group under our names."""
    tensors = golden("heads.safetensors", group)
    return {rename(key, renamed): value for key, value in tensors.items()}


@pytest.mark.parametrize("deviation", [True, False])
def test_attentive_pooling_golden(deviation: bool) -> None:
    tensors = golden("heads.safetensors", "attpool/")
    pooling = AttentivePooling(24, deviation=deviation).double().eval()
    pooling.load_state_dict({"vector": tensors["att_weights"]})
    close(pooling(tensors["x"]), tensors["mean_std" if deviation else "mean_only"])


def test_attentive_noise_is_for_training_only() -> None:
    """Two evaluation passes are equal; one frame gives no NaN."""
    pooling = AttentivePooling(4)
    frames = torch.randn(2, 6, 4)
    assert not torch.equal(pooling(frames), pooling(frames))
    pooling.eval()
    close(pooling(frames), pooling(frames), REPEATED)
    assert torch.isfinite(pooling(frames[:, :1])).all()


def test_mean_and_deviation_by_hand() -> None:
    frames = torch.tensor([[[1.0], [3.0], [99.0]]])
    pooled = mean_and_deviation(frames, torch.tensor([[True, True, False]]))
    close(pooled, torch.tensor([[2.0, 2.0**0.5]]))


BLINEAR_NAMES = {
    "bridge_module.AHP_W_att": "layer_vector",
    "AHP_ASP.mm_weights": "pooling.vector",
    "layer_norm.": "norm.",
    "w_1": "linear1",
    "w_2": "linear2",
    **{f"bridge_module.squeeze_module_linears.{i}.": f"squeezes.{i}." for i in range(5)},
    **{f"bridge_module.squeeze_module_norms.{i}.": f"squeezes.{i}.norm." for i in range(5)},
    **{f"bridge_module.AHP_ASP.{i}.mm_weights": f"squeezes.{i}.pooling.vector" for i in range(5)},
}


@torch.no_grad()
def test_layer_attention_golden() -> None:
    tensors = golden("heads.safetensors", "blinear/")
    head = LayerAttentionHead({"text": ViewShape(32, layers=5)}, width=16, embedding_dim=24)
    head.double().eval()
    head.load_state_dict(weights("blinear/w/", BLINEAR_NAMES))
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


def meso_head(**arguments: Any) -> tuple[MesoInceptionHead, dict[str, Tensor]]:
    state = weights("meso/w/", MESO_NAMES)
    classifier = {key: state.pop(key) for key in list(state) if key.startswith("fc")}
    if "hidden_dim" in arguments:
        state |= {f"hidden.{part}": classifier[f"fc1.{part}"] for part in ("weight", "bias")}
    views = {"text": ViewShape(384), "audio": ViewShape(384)}
    head = MesoInceptionHead(views, **arguments).double().eval()
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
    hidden = meso_head(hidden_dim=16)[0].embed(tensors["x"])
    logit = nn.functional.linear(hidden, classifier["fc2.weight"], classifier["fc2.bias"])
    close(logit, tensors["logit"])
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
    "conv1": "conv_in",
    "bn1": "norm_in",
    "conv5": "conv_out",
    "bn5": "norm_out",
    "fc": "linear",
    "fc_mu": "fc_mu",
}


def resnet_name(key: str) -> str:
    """A published ResNet-18 key under our name."""
    word, _, rest = key.partition(".")
    if word == "attention":
        return "pooling.vector"
    if word.startswith("layer"):
        number, rest = rest.split(".", 1)
        block = 2 * int(word[-1]) - 2 + int(number)
        return f"blocks.{block}.{rename(rest, {'bn': 'norm', 'shortcut.0': 'shortcut'})}"
    return f"{RESNET_NAMES[word]}.{rest}"


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
        state[key] = torch.from_numpy(value).float().double()
    return state


@torch.no_grad()
def test_resnet18_golden() -> None:
    tensors = golden("heads.safetensors", "resnet18/")
    published = resnet_weights()
    sums = torch.stack([w.abs().sum() for w in published.values()])
    close(sums / tensors["weights_checksum_abs_sum"], torch.ones(99), 1e-5)
    state = {resnet_name(key): value for key, value in published.items()}
    mu = [state.pop("fc_mu.weight"), state.pop("fc_mu.bias")]
    head = ResNet18Head({"audio": ViewShape(60)}).double().eval()
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
    head = HMConformerHead({"audio": ViewShape(24)}, width=16, hidden_dim=32, embedding_dim=8)
    head.double().eval()
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
