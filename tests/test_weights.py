"""Weights in files of torch.save: found where training scripts put them, damage named in a line."""

import io
import warnings
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from kept_files import golden_path
from published_files import published_aasist, saved
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from whisper.model import ModelDimensions

from amsdf.detector import published
from amsdf.weights import load_safely, read_state_dict
from encoders.acrnn import ACRNNEncoder
from encoders.sinc_resnet import SincResNetEncoder
from encoders.whisper import WhisperEncoder
from encoders.xlsr import XLSREncoder

STATE = {"layer.weight": torch.ones(2, 3), "layer.bias": torch.zeros(2)}
ACRNN = {"frames": 98, "channels": 4, "later_channels": 4, "hidden": 16, "lstm": 8}


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in STATE.items()}


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "model.module."])
@pytest.mark.parametrize("name", ["", "model", "state_dict", "model_state_dict"])
def test_the_weights_of_a_training_checkpoint(name: str, prefix: str, tmp_path: Path) -> None:
    """As they are, or beside optimiser and epoch; a prefix of all names is taken off."""
    content = prefixed(prefix)
    if name:
        content = {name: content, "optimizer": {"state": {}, "lr": 0.1}, "epoch": 3}
    read = read_state_dict(saved(content, tmp_path))
    assert list(read) == list(STATE) and all(torch.equal(read[key], STATE[key]) for key in STATE)


def test_a_prefix_of_some_names_only_stays(tmp_path: Path) -> None:
    mixed = {"model.weight": torch.ones(1), "out.weight": torch.ones(1)}
    assert list(read_state_dict(saved(mixed, tmp_path))) == list(mixed)


def test_averaged_weights(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    read = read_state_dict(saved(AveragedModel(model).state_dict(), tmp_path))
    assert list(read) == list(model.state_dict())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": STATE, "state_dict": STATE}, "holds 2 state dicts; give a file with"),
        ({"model": {"epoch": 3}}, "holds a dict that does not map names to tensors"),
        ({"weights": STATE}, "or under one of model, state_dict, model_state_dict"),
        ({0: torch.ones(1)}, "holds a dict that does not map names to tensors"),
        ({"model": {0: torch.ones(1)}}, "holds a dict that does not map names to tensors"),
        ([torch.ones(1)], "holds a list that does not map names to tensors"),
        (torch.ones(1), "holds a Tensor that does not map names to tensors"),
    ],
    ids=str,
)
def test_what_is_no_state_dict(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_state_dict(saved(content, tmp_path))


@pytest.mark.parametrize(("zipped", "step"), [(False, 1), (True, 7)])
def test_a_byte_spoilt(zipped: bool, step: int, tmp_path: Path) -> None:
    """Damage is read, or refused in one line: no error of pickle or zip reaches the user."""
    buffer, path = io.BytesIO(), tmp_path / "spoilt.pth"
    torch.save({"a": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=zipped)
    refused = 0
    for place in range(0, len(buffer.getvalue()), step):
        for byte in b"\x00j\x89":
            content = bytearray(buffer.getvalue())
            content[place] = byte
            path.write_bytes(content)
            try:
                with warnings.catch_warnings(action="ignore"):  # torch wonders at the pickle
                    read_state_dict(path)
            except ValueError as error:
                assert "\n" not in str(error) and str(path) in str(error)
                refused += 1
    assert refused > 100


def test_code_is_named_and_not_run(tmp_path: Path) -> None:
    path = saved({"model": nn.Linear(2, 2)}, tmp_path)
    with pytest.raises(ValueError, match=r"pickles 'torch\.nn\.modules\.linear\.Linear', which is"):
        load_safely(path)


def nested(state: dict[str, Tensor], **more: object) -> dict[str, object]:
    """A training checkpoint of a wrapped model."""
    return {"model_state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 1, **more}


def same(given: nn.Module, expected: nn.Module) -> None:
    wanted = expected.state_dict()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in given.state_dict().items())


@pytest.mark.parametrize("encoder", [ACRNNEncoder, SincResNetEncoder])
def test_pretrained_out_of_a_training_checkpoint(encoder: type, tmp_path: Path) -> None:
    arguments = ACRNN if encoder is ACRNNEncoder else {"channels": [4]}
    trained, fresh = encoder(**arguments), encoder(**arguments)
    state = trained.state_dict()
    if encoder is SincResNetEncoder:  # the names of AASIST
        state = {key.replace("residual.0.", "encoder.0.0."): state[key] for key in state}
    fresh.load_pretrained(saved(nested(state), tmp_path))
    same(fresh, trained)


def test_xlsr_under_wrapped_names(tmp_path: Path) -> None:
    path = golden_path("fairseq_xlsr_tiny.pt")
    content = load_safely(path)
    weights = {f"module.{key}": tensor for key, tensor in content["model"].items()}
    wrapped = saved({**content, "model": weights}, tmp_path)
    arguments = XLSREncoder.architecture_of(wrapped)
    plain, fresh = XLSREncoder(**arguments), XLSREncoder(**arguments)
    plain.load_pretrained(path)
    fresh.load_pretrained(wrapped)
    same(fresh, plain)


def test_whisper_out_of_a_training_checkpoint(tmp_path: Path) -> None:
    dims = asdict(ModelDimensions(80, 9, 8, 2, 0, 50, 8, 8, 2, 0))
    path = saved(nested({"encoder.ln_post.weight": torch.ones(8)}, dims=dims), tmp_path)
    with pytest.raises(ValueError, match="missing: conv1") as seen:
        WhisperEncoder(width=8, heads=2, layers_count=1, positions=9).load_pretrained(path)
    assert "unknown" not in str(seen.value) and "layer_norm.weight" not in str(seen.value)
    torch.save({"dims": {"n_mels": 80}, "model_state_dict": {}}, path)
    with pytest.raises(ValueError, match="has no 'dims' with n_mels, n_audio_ctx"):
        WhisperEncoder.architecture_of(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {0: torch.ones(1)}, "cfg": {}}, "a dict that does not map names to tensors"),
        (
            {"model": {}, "cfg": {"model": {"conv_feature_layers": "", "encoder_embed_dim": 8}}},
            "lack 'encoder_layers'",
        ),
    ],
    ids=str,
)
def test_a_fairseq_file_that_is_none(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        XLSREncoder.architecture_of(saved(content, tmp_path))


def test_a_published_system_out_of_a_training_checkpoint(tmp_path: Path) -> None:
    state = published_aasist()
    plain = published.load(saved(state, tmp_path))
    same(published.load(saved(nested(state), tmp_path, "nested.pth")), plain)
