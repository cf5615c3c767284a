"""AASIST, AASIST-L and SSL-AASIST: golden numbers, sizes, padding."""

from itertools import pairwise

import pytest
import torch
from golden_names import close, golden, translate
from kept_files import shared_path
from torch import Tensor, nn

from amsdf import registry
from amsdf.contracts import ViewShape
from heads.aasist import AASISTHead
from heads.ssl_aasist import SSLAASISTHead

LIGHT = {"graph_dim": 24, "ratio_spectral": 0.4, "ratio_temporal": 0.5, "ratio_later": 0.7}
PREFIXES = {
    "pos_S": "spectral_position",
    "GAT_layer_S": "graph.attention_spectral",
    "GAT_layer_T": "graph.attention_temporal",
    "pool_S": "graph.pool_spectral",
    "pool_T": "graph.pool_temporal",
}
for branch in (1, 2):
    ours = f"graph.branches.{branch - 1}"
    PREFIXES[f"master{branch}"] = f"{ours}.master"
    PREFIXES[f"HtrgGAT_layer_ST{branch}1"] = f"{ours}.layer1"
    PREFIXES[f"HtrgGAT_layer_ST{branch}2"] = f"{ours}.layer2"
    PREFIXES[f"pool_hS{branch}"] = f"{ours}.pool_spectral"
    PREFIXES[f"pool_hT{branch}"] = f"{ours}.pool_temporal"


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@torch.no_grad()
def test_official_aasist_from_its_encoder_output_on() -> None:
    path = shared_path("weights", "AASIST.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    tensors = golden("aasist_official.safetensors", "out.")
    head = AASISTHead({"audio": ViewShape(64, layers=23)}).double().eval()
    head.load_state_dict(translate(state, PREFIXES))
    seen: dict[str, Tensor] = {}
    for name, module in head.named_modules():
        if name.startswith("graph."):
            module.register_forward_hook(lambda *call, name=name: seen.update({name: call[-1]}))
    embedding = head({"audio": tensors["encoder"].permute(0, 2, 3, 1)})
    for theirs in ("GAT_layer_S", "GAT_layer_T", "pool_S", "pool_T", "pool_hS1", "pool_hT2"):
        close(seen[PREFIXES[theirs]].nodes, tensors[theirs])
    for theirs in ("ST11", "ST12", "ST21", "ST22"):
        outputs = seen[PREFIXES[f"HtrgGAT_layer_{theirs}"]]
        close(outputs[0].nodes, tensors[f"HtrgGAT_layer_{theirs}.out0"])
        close(outputs[1].nodes, tensors[f"HtrgGAT_layer_{theirs}.out1"])
        close(outputs[2], tensors[f"HtrgGAT_layer_{theirs}.out2"])
    close(embedding, tensors["embedding"])
    logits = embedding @ state["out_layer.weight"].double().T + state["out_layer.bias"]
    close(logits, tensors["logits"])


@torch.no_grad()
def test_official_aasist_from_the_waveform() -> None:
    """Encoder and head together, on the standard length and on a shorter one."""
    path = shared_path("weights", "AASIST.pth")
    encoder = registry.build("encoders", "sinc-resnet", output="bands").double().eval()
    encoder.load_pretrained(path)
    head = AASISTHead({"audio": ViewShape(encoder.dim, encoder.layers)}).double().eval()
    head.load_state_dict(
        translate(torch.load(path, map_location="cpu", weights_only=True), PREFIXES)
    )
    tensors = golden("aasist_official.safetensors")
    waveform = tensors["input.waveform_int16"].double() / 32768
    close(head({"audio": encoder(waveform)}), tensors["out.embedding"])
    close(head({"audio": encoder(waveform[:1, :32_000])}), tensors["out32000.embedding"])


def test_sizes_are_the_published_ones() -> None:
    """297,866 and 85,306 less the encoder and the classifier, the latter counted here by hand."""
    head = AASISTHead({"audio": ViewShape(64, layers=23)})
    light = AASISTHead({"audio": ViewShape(24, layers=23)}, **LIGHT)
    assert parameters(head) == 297_866 - encoder_parameters(64) - 322
    assert parameters(light) == 85_306 - encoder_parameters(24) - 322
    assert head.embedding_dim == light.embedding_dim == 160


def encoder_parameters(last: int) -> int:
    """Residual encoder with 32, 32, then four times `last` channels."""
    channels = [1, 32, 32, last, last, last, last]
    total = 2  # the first batch norm
    for number, (before, after) in enumerate(pairwise(channels)):
        total += 6 * before * after + after + 6 * after * after + after  # two 2 x 3 convolutions
        total += 2 * after + (2 * before if number else 0)  # batch norms
        total += 3 * before * after + after if before != after else 0
    return total


SSL_PREFIXES = {
    "LL": "linear",
    "first_bn": "norm_in",
    "first_bn1": "norm_out",
    "attention": "attention",
    **PREFIXES,
}
for number in range(6):
    SSL_PREFIXES |= {
        f"encoder.{number}.0.conv1": f"blocks.{number}.conv1",
        f"encoder.{number}.0.conv2": f"blocks.{number}.conv2",
        f"encoder.{number}.0.bn2": f"blocks.{number}.bn2",
        f"encoder.{number}.0.conv_downsample": f"blocks.{number}.conv_downsample",
    }


@pytest.mark.any_processor
@torch.no_grad()
def test_ssl_aasist_golden() -> None:
    tensors = golden("ssl_aasist_backend.safetensors")
    state = {key[6:]: value for key, value in tensors.items() if key.startswith("state.")}
    head = SSLAASISTHead({"text": ViewShape(32)}).double().eval()
    head.load_state_dict(translate(state, SSL_PREFIXES))
    seen: dict[str, Tensor] = {}
    for name, module in head.graph.named_children():
        module.register_forward_hook(lambda *call, name=name: seen.update({name: call[-1]}))
    embedding = head({"text": tensors["input.ssl_features"]})
    for theirs in ("GAT_layer_S", "GAT_layer_T", "pool_S", "pool_T"):
        ours = PREFIXES[theirs].removeprefix("graph.")
        close(seen[ours].nodes, tensors[f"out.{theirs}"])
    close(embedding, tensors["out.last_hidden"])
    logits = embedding @ state["out_layer.weight"].T + state["out_layer.bias"]
    close(logits, tensors["out.logits"])


def test_ssl_aasist_size_is_the_published_one() -> None:
    """320,266 with the classifier and five norms that reach nothing, which we leave out."""
    unused = 2 * (32 + 32 + 64 + 64 + 64)
    assert parameters(SSLAASISTHead({"text": ViewShape(32)})) == 320_266 - 322 - unused
