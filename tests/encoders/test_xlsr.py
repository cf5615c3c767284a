"""wav2vec 2.0 / XLS-R: fairseq's numbers from fairseq's files, layer choices, padding, refusals."""

import argparse
import copy
from pathlib import Path

import pytest
import torch
from golden_names import close
from golden_names import golden as read_golden
from kept_files import golden_path
from torch import Tensor
from transformers import Wav2Vec2FeatureExtractor

from amsdf.config import View
from amsdf.detector import finetuning
from amsdf.testing import check_encoder, waveforms
from encoders._fairseq_file import conv_layers, read_fairseq
from encoders.xlsr import XLSREncoder

FILES = {
    "fairseq_xlsr_tiny": "fairseq_xlsr_tiny",
    "fairseq_w2v_base_tiny": "fairseq_w2v_base_tiny",
    "fairseq_w2v_base_tiny_legacy_args": "fairseq_w2v_base_tiny",
    "fairseq_xlsr_tiny_omegaconf_cfg": "fairseq_xlsr_tiny",
}
TINY = {
    "hidden": 16,
    "layers_count": 2,
    "heads": 2,
    "ffn": 32,
    "conv_dims": (8,) * 7,
    "pos_kernel": 8,
    "pos_groups": 2,
}


def golden(name: str) -> tuple[Path, dict[str, Tensor], Tensor]:
    numbers = read_golden(f"{FILES[name]}.safetensors")
    wave = numbers["input.waveform_int16"].double() / 32768
    return golden_path(f"{name}.pt"), numbers, wave


def loaded(path: Path, **arguments) -> XLSREncoder:
    encoder = XLSREncoder(**{**XLSREncoder.architecture_of(path), **arguments})
    encoder.load_pretrained(path)
    return encoder.double().eval()


@pytest.mark.any_processor
@pytest.mark.parametrize("name", FILES)
@torch.no_grad()
def test_every_hidden_layer_equals_fairseq(name):
    path, numbers, wave = golden(name)
    for layer in (0, 1, 2):
        nodes = loaded(path, layer=layer, normalize=False)(wave)
        close(nodes, numbers[f"raw64600.hidden.{layer}"])
    encoder = loaded(path, normalize=False)
    close(encoder(wave), numbers["raw64600.x"])
    close(encoder(wave[:1, :16000]), numbers["raw16000.x"])
    close(loaded(path, normalize=True)(wave), numbers["norm64600.x"])


@pytest.mark.parametrize("name", ["fairseq_xlsr_tiny", "fairseq_w2v_base_tiny"])
@torch.no_grad()
def test_stack_and_weighted_sum_hold_all_states(name):
    path, numbers, wave = golden(name)
    encoder = loaded(path, layer="all", normalize=False)
    stack = encoder(wave)
    assert encoder.layers == 3 and stack.shape == (2, 3, 201, 32)
    states = [numbers[f"raw64600.{part}"] for part in ("hidden.0", "hidden.1", "x")]
    close(stack, torch.stack(states, dim=1))
    weighted = loaded(path, layer="weighted", normalize=False)
    assert weighted.layers is None
    close(weighted(wave), stack.mean(1))


def test_architecture_as_the_checkpoint_says():
    path, _, _ = golden("fairseq_xlsr_tiny")
    found = XLSREncoder.architecture_of(path)
    assert found["normalize"] is True and found["extractor_mode"] == "layer_norm"
    assert found["conv_strides"] == [5, 2, 2, 2, 2, 2, 2] and found["layer_norm_first"]
    path, _, _ = golden("fairseq_w2v_base_tiny")
    found = XLSREncoder.architecture_of(path)
    assert found["normalize"] is False and found["extractor_mode"] == "default"
    assert (found["dropout"], found["layerdrop"]) == (0.1, 0.05)
    assert found["front_gradient"] == 0.1  # what its configuration calls feature_grad_mult
    legacy, _, _ = golden("fairseq_w2v_base_tiny_legacy_args")
    assert XLSREncoder.architecture_of(legacy) == found


def test_defaults_are_xlsr_300m():
    """315,437,696 parameters are those of XLS-R 300M that matter for features."""
    with torch.device("meta"):
        encoder = XLSREncoder()
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 315_437_696
    assert encoder.dim == 1024


@pytest.mark.parametrize("mode", ["layer_norm", "default"])
@pytest.mark.parametrize("layer", ["last", 1, "all", "weighted"])
def test_conformance(mode, layer):
    """Trap: mask lost. A padded clip equals the clip alone, with a norm over time as well."""
    torch.manual_seed(0)
    pre_norm = mode == "layer_norm"
    check_encoder(
        XLSREncoder(
            **TINY, extractor_mode=mode, layer_norm_first=pre_norm, layer=layer, normalize=pre_norm
        ),
        samples=16_000,
    )


@pytest.mark.parametrize("mode", ["layer_norm", "default"])
@torch.no_grad()
def test_short_clips_beside_long_ones(mode):
    """Clips below the receptive field of 400 samples have one node, the same in any company."""
    encoder = XLSREncoder(**TINY, extractor_mode=mode, normalize=True).eval()
    lengths = torch.tensor([100, 399, 1600, 9000])
    padded = waveforms(4, 9000)
    for row, length in enumerate(lengths):
        padded[row, length:] = 0
    counts = encoder.node_counts(lengths)
    assert counts.tolist() == [1, 1, 4, 27]
    together = encoder(padded, lengths)
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        alone = encoder(padded[row : row + 1, :length])
        assert alone.shape[1] == count
        close(together[row, :count], alone[0])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_front_gradient_scales_that_of_the_convolutions_alone(checkpointing):
    gradients = {}
    for factor in (1.0, 0.1, 0.0):
        torch.manual_seed(0)
        encoder = copy.deepcopy(XLSREncoder(**TINY, front_gradient=factor)).train()
        view = View(encoder="xlsr", gradient_checkpointing=checkpointing)
        finetuning.apply(encoder, view)
        encoder(waveforms(1, 4000)).square().sum().backward()
        gradients[factor] = {name: p.grad for name, p in encoder.named_parameters()}
    for name, whole in gradients[1.0].items():
        front = name.startswith("model.feature_extractor.")
        if front:
            assert gradients[0.0][name] is None, "frozen: not even weight decay may move it"
        elif whole is not None:
            close(gradients[0.0][name], whole)
        if whole is not None:
            expected = (0.1 if front else 1.0) * whole
            close(gradients[0.1][name], expected)


def test_layer_drop_leaves_the_stack_whole():
    encoder = XLSREncoder(**TINY, layer="all", layerdrop=0.9).train()
    torch.manual_seed(1)
    assert all(encoder(waveforms(1, 4000)).shape[1] == 3 for _ in range(8))


def test_upper_layers_are_not_computed():
    encoder = XLSREncoder(**TINY, layer=1)
    assert len(encoder.model.encoder.layers) == 1
    assert len(encoder.blocks()) == 4  # front, projection, positions, one layer


def test_half_precision_is_finite():
    nodes = XLSREncoder(**TINY, normalize=True).eval().to(torch.bfloat16)(waveforms(1, 8000))
    assert nodes.dtype == torch.bfloat16 and nodes.isfinite().all()


def test_hugging_face_folder_gives_the_same(tmp_path):
    path, numbers, wave = golden("fairseq_xlsr_tiny")
    loaded(path).model.save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    assert XLSREncoder.architecture_of(tmp_path)["normalize"] is False
    with torch.no_grad():
        close(loaded(tmp_path)(wave), numbers["raw64600.x"])


def test_a_front_as_wide_as_the_transformer_needs_no_projection():
    """fairseq leaves the projection out where both widths are equal."""
    path, _, _ = golden("fairseq_xlsr_tiny")
    state = dict(read_fairseq(path)["model"])
    with pytest.raises(ValueError, match=r"missing: .*feature_projection\.projection\.weight"):
        del state["post_extract_proj.weight"], state["post_extract_proj.bias"]
        loaded(path).load_fairseq(state, path)
    state["layer_norm.weight"] = torch.ones(32)
    translated = XLSREncoder.translate_fairseq(state)
    assert torch.equal(translated["feature_projection.projection.weight"], torch.eye(32))


def test_wrong_weights_are_named():
    """Trap: strict=False hides a wrong checkpoint (defect A10)."""
    path, _, _ = golden("fairseq_xlsr_tiny")
    state = dict(read_fairseq(path)["model"])
    encoder = XLSREncoder(**XLSREncoder.architecture_of(path))
    with pytest.raises(ValueError, match=r"missing: .*encoder\.layers\.1\.feed_forward"):
        encoder.load_fairseq({k: v for k, v in state.items() if "layers.1.fc1" not in k}, path)
    with pytest.raises(ValueError, match="unknown: strange"):
        encoder.load_fairseq({**state, "strange": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"\(3,\) instead of \(32,\)"):
        encoder.load_fairseq({**state, "encoder.layer_norm.weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="weights do not fit"):
        XLSREncoder(**TINY).load_pretrained(path)


class Malice:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.parametrize("where", ["cfg", "args", "model"])
def test_pickled_code_is_refused_by_name(tmp_path, where):
    path = tmp_path / "bad.pt"
    torch.save({"model": {}, "cfg": {}, "args": None, where: Malice()}, path)
    with pytest.raises(ValueError, match="exec"):
        XLSREncoder.architecture_of(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": 1}, "no 'model' weights"),
        ({"model": {}}, "neither 'cfg' nor 'args'"),
        ({"model": {}, "args": argparse.Namespace(arch="transformer")}, "no wav2vec 2.0 model"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=message):
        XLSREncoder.architecture_of(tmp_path / "other.pt")


def test_garbage_missing_and_foreign_paths_are_refused(tmp_path):
    (tmp_path / "noise.pt").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ValueError, match=r"no file of torch\.save"):
        XLSREncoder.architecture_of(tmp_path / "noise.pt")
    with pytest.raises(ValueError, match="No such file"):
        XLSREncoder.architecture_of(tmp_path / "absent.pt")
    with pytest.raises(ValueError, match=r"no config\.json"):
        XLSREncoder.architecture_of(tmp_path)


def test_convolutions_are_parsed_and_never_evaluated():
    assert conv_layers("[(512,10,5)] + [(512, 3, 2)] * 2") == [(512, 10, 5)] + [(512, 3, 2)] * 2
    for text in ("__import__('os').getcwd()", "[(1,2)]", "[(1,2,3)] * 10**9", "nonsense ("):
        with pytest.raises(ValueError, match="conv_feature_layers"):
            conv_layers(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": 3}, "'last', 'all', 'weighted', 0 to 2, or a list"),
        ({"layer": "first"}, "layer is 'first'"),
        ({"extractor_mode": "group"}, "'layer_norm' or 'default'"),
        ({"conv_strides": (5, 2)}, "as many"),
        ({"front_gradient": -0.1}, "front_gradient is -0.1; give 0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        XLSREncoder(**{**TINY, **arguments})
