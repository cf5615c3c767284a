"""Checkpoints in two files: a network and the centre of its OC-Softmax.

The names are those of the authors' repositories; where a golden file has them, it is the judge.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_names import close, golden
from published_files import State, files, filled, linear, norm, same_both_ways, saved
from torch import nn
from whisper.model import AudioEncoder

from amsdf.cli.main import main
from amsdf.contracts import ViewShape
from amsdf.detector import published
from amsdf.detector.detector import Detector
from amsdf.published_names import Sizes
from encoders.whisper import WhisperEncoder
from heads.meso_inception import MesoInceptionHead
from heads.resnet18 import ResNet18Head

# The OC-Softmax study: MFCC + Whisper + MesoNet


def study_network() -> State:
    """Names and sizes of the golden MesoInception, and openai-whisper's own tiny encoder."""
    meso = {key: tuple(t.shape) for key, t in golden("heads.safetensors", "meso/w/").items()}
    torch.manual_seed(1)
    whisper = AudioEncoder(80, 1500, 384, 6, 4).state_dict()
    return filled(meso) | {f"whisper_model.encoder.{key}": whisper[key] for key in whisper}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("study")
    network, centre = study_network(), filled({"center": (1, 1024)}, seed=3)
    pair = files({"ckpt.pth": network, "ocsoftmax_ckpt.pth": centre}, folder / "pair")
    (alone,) = files({"ckpt.pth": network}, folder / "softmax")
    return {"network": pair[0], "centre": pair[1], "softmax": alone}


@torch.no_grad()
def test_meso_inception_golden_by_its_names() -> None:
    tensors = golden("heads.safetensors", "meso/")
    theirs = {key[2:]: value for key, value in tensors.items() if key.startswith("w/")}
    ours, others = MesoInceptionHead.from_published(theirs)
    assert set(others) == {"fc2.weight", "fc2.bias"}
    views = {"whisper": ViewShape(384), "mfcc": ViewShape(384)}
    head = MesoInceptionHead(views, hidden_dim=16).double().eval()
    head.load_state_dict(ours, strict=True)
    logit = head.embed(tensors["small/x"]) @ others["fc2.weight"].T + others["fc2.bias"]
    close(logit, tensors["small/logit"])


@torch.no_grad()
def test_the_pair_of_the_study(study) -> None:
    network, centre = torch.load(study["network"]), torch.load(study["centre"])
    for paths in ([study["network"], study["centre"]], [study["centre"], study["network"]]):
        detector = published.load(paths)
        assert torch.equal(detector.loss.centre, centre["center"])
    embeddings = torch.randn(3, 1024, generator=torch.Generator().manual_seed(2))
    cosines = nn.functional.cosine_similarity(embeddings, centre["center"])
    close(detector.loss.score(embeddings), cosines)
    assert torch.equal(detector.head.conv1.weight, network["conv1.weight"])
    assert detector.head.order == ["whisper", "mfcc"] and detector.head.align == "tile"


@torch.no_grad()
def test_the_whisper_of_the_study_hears_as_openai_does(study) -> None:
    view = published.load([study["network"], study["centre"]]).encoder("whisper")
    torch.manual_seed(1)
    theirs = AudioEncoder(80, 1500, 384, 6, 4).eval()
    mels = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(4))
    frames = torch.tensor([3000])
    close(view._transform(mels.transpose(1, 2), frames, torch.tensor([480_000])), theirs(mels))
    assert WhisperEncoder.from_published({"decoder.ln.bias": mels})[1] == {"decoder.ln.bias": mels}


@torch.no_grad()
def test_the_soft_max_of_the_study_is_one_file(study) -> None:
    """One logit, high for spoof: the score is its negative, and both score rules rank alike."""
    detector = published.load(study["softmax"])
    network = torch.load(study["softmax"])
    embeddings = torch.randn(5, 16, generator=torch.Generator().manual_seed(2))
    logits = (embeddings @ network["fc2.weight"].T + network["fc2.bias"]).squeeze(1)
    close(detector.loss.score(embeddings), -logits)
    close(detector.loss.published_score(embeddings), -logits / 2)
    assert torch.equal(detector.head.hidden.weight, network["fc1.weight"])


def test_half_of_the_pair_is_refused(study) -> None:
    """Its own classifier was not trained, so its scores would be noise."""
    with pytest.raises(ValueError, match=r"ocsoftmax_ckpt\.pth is beside it.*`import` both files"):
        published.load(study["network"])
    with pytest.raises(
        ValueError, match=r"ocsoftmax_ckpt\.pth: is not one of .*weights are center"
    ):
        published.load(study["centre"])


# AIR-ASVspoof


def air_network() -> State:
    """Names and sizes of the golden README."""
    shapes = norm("bn1", 16) | norm("bn5", 256) | {"conv1.weight": (16, 1, 9, 3)}
    shapes |= {"conv5.weight": (256, 512, 3, 3), "attention.att_weights": (1, 256)}
    shapes |= linear("fc", 512, 256) | linear("fc_mu", 256, 2)
    given = 16
    for layer, width in enumerate((64, 128, 256, 512), start=1):
        for place in range(2):
            name = f"layer{layer}.{place}"
            shapes |= norm(f"{name}.bn1", given) | norm(f"{name}.bn2", width)
            shapes[f"{name}.conv1.weight"] = (width, given, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            if place == 0:
                shapes[f"{name}.shortcut.0.weight"] = (width, given, 1, 1)
            given = width
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def golden_air_network() -> State:
    """The weights of the golden file, by the recipe of its README."""
    draw = np.random.RandomState(9102)
    found = air_network()
    for name in sorted(found):
        if name.endswith("num_batches_tracked"):
            continue
        shape, last = tuple(found[name].shape), name.rpartition(".")[2]
        z = draw.standard_normal(shape)
        if last == "running_var":
            value = 0.5 + np.abs(z)
        elif last == "running_mean":
            value = 0.1 * z
        elif len(shape) == 1:
            value = 1 + 0.1 * z if last == "weight" else 0.1 * z
        else:
            value = z / np.sqrt(np.prod(shape[1:]))
        found[name] = torch.from_numpy(value).float()
    return found


@pytest.fixture(scope="module")
def air(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    state = golden_air_network()
    folder = tmp_path_factory.mktemp("air")
    states = {"network.pt": state, "loss.pt": filled({"center": (1, 256)}, seed=5)}
    return {"state": state, "paths": files(states, folder)}


@torch.no_grad()
def test_air_golden_by_its_names(air) -> None:
    tensors = golden("heads.safetensors", "resnet18/")
    ours, others = ResNet18Head.from_published({**air["state"], "fc_att.weight": torch.zeros(1)})
    assert set(others) == {"fc_mu.weight", "fc_mu.bias"}
    head = ResNet18Head({"a": ViewShape(60)}, **ResNet18Head.arguments_of(Sizes(ours))).eval()
    head.load_state_dict(ours, strict=True)
    f, t = np.meshgrid(np.arange(60), np.arange(750), indexing="ij")
    image = np.stack(
        [
            np.sin(0.37 * f + 0.051 * t + 0.9 * (1 + b)) * np.cos(0.023 * t + 0.11 * b * f)
            for b in range(2)
        ]
    )
    nodes = torch.from_numpy(image).float().transpose(1, 2)
    close(head({"a": nodes}), tensors["feat"], 2e-5)


@torch.no_grad()
def test_air_with_a_centre_and_with_soft_max(air) -> None:
    """The centre is bona fide; of the two logits, the first is."""
    network, loss = air["paths"]
    embeddings = torch.randn(3, 256, generator=torch.Generator().manual_seed(2))
    centre = torch.load(loss)["center"]
    one_class = published.load([network, loss])
    close(one_class.loss.score(embeddings), nn.functional.cosine_similarity(embeddings, centre))
    assert one_class.experiment.clip.samples == 120_160
    soft_max = published.load(network)
    logits = embeddings @ air["state"]["fc_mu.weight"].T + air["state"]["fc_mu.bias"]
    close(soft_max.loss.score(embeddings), logits[:, 0] - logits[:, 1])


def test_air_as_released_is_refused_with_what_to_do(tmp_path) -> None:
    """Whole pickled modules: code, which is not read."""
    path = saved(nn.Linear(2, 2), tmp_path, "anti-spoofing_lfcc_model.pt")
    with pytest.raises(ValueError, match=r"pickles 'torch.*save only the weights.*state_dict\(\)"):
        published.load(path)


# Both ways, and from the command line


def test_our_weights_under_their_names_are_theirs(study, air) -> None:
    assert not same_both_ways(air["paths"])
    unnamed = same_both_ways([study["network"], study["centre"]])
    assert {name.split(".network.")[0] for name in unnamed} == {"encoders.whisper"}


def test_several_files_become_a_folder(study, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["import", str(study["network"]), str(study["centre"]), str(out)]) == 0
    assert "OC-Softmax" in capsys.readouterr().out
    origin = json.loads((out / "origin.json").read_text())
    assert origin["file"] == "ckpt.pth" and list(origin["more_files"]) == ["ocsoftmax_ckpt.pth"]
    pair = published.load([study["network"], study["centre"]])
    assert Detector.from_pretrained(out).digest() == pair.digest()
