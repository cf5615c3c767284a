"""The architecture of a wav2vec 2.0 from the shapes of its weights alone."""

import json
from typing import Any

import pytest
import torch
from kept_files import golden_path
from safetensors import safe_open
from torch import Tensor

from amsdf.published_names import Sizes
from encoders import xlsr
from encoders.xlsr import XLSREncoder


def architecture(state: dict[str, Tensor]) -> dict[str, Any]:
    """What weights under fairseq's names say of the architecture."""
    weights, left = XLSREncoder.from_published(state)
    assert not left
    return XLSREncoder.arguments_of(Sizes(weights))


def test_amsdf_speech_model_from_its_shapes() -> None:
    """What the shapes say is what the reference was configured with."""
    with safe_open(golden_path("amsdf_full_tiny_ckpt.safetensors"), "pt") as file:
        settings = json.loads(file.metadata()["encoder_cfg"])
    state = torch.load(golden_path("amsdf_full_tiny_ckpt.pth"), weights_only=True)
    prefix = "text_view_extract.model."
    found = architecture({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
    assert found["heads"] == settings["encoder_attention_heads"]
    assert found["ffn"] == settings["encoder_ffn_embed_dim"]
    assert (found["pos_kernel"], found["pos_groups"]) == (16, 16)
    assert found["conv_dims"] == [16] * 7 and found["conv_kernels"] == [10, 3, 3, 3, 3, 2, 2]
    assert found["layers_count"] == 1 and found["conv_bias"] and found["layer_norm_first"]


@pytest.mark.parametrize("name", ["fairseq_xlsr_tiny.pt", "fairseq_w2v_base_tiny.pt"])
def test_shapes_say_what_the_fairseq_settings_say(name, monkeypatch) -> None:
    """But for the number of heads of a width that no published model has."""
    path = golden_path(name)
    state = torch.load(path, weights_only=True)["model"]
    with pytest.raises(ValueError, match=r"32 wide.*attention heads.*--ssl"):
        architecture(state)
    monkeypatch.setitem(xlsr.HEADS, 32, 4)
    settings = XLSREncoder.architecture_of(path)
    found = architecture(state)
    assert found == {key: settings[key] for key in found}
