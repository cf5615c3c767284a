"""Every registered encoder, head, loss and augmentation, at toy size, against its contract."""

import inspect
import pickle
import tomllib
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from golden_names import close
from test_augmentations import ARGUMENTS
from test_heads import SMALL as HEADS
from torch import nn

from amsdf import registry
from amsdf.contracts import SAMPLE_RATE, Encoder, Loss, has_parameter, mask_of
from amsdf.testing import check_encoder, check_head, check_loss, view_tensors, waveforms

ROOT = Path(__file__).parent.parent
CONVOLUTIONS = {"conv_dims": [8] * 7, "pos_kernel": 8, "pos_groups": 2}
#: Arguments that make every encoder of ours small. A new one must have its line here.
ENCODERS: dict[str, dict[str, Any]] = {
    "sinc-resnet": {"channels": [4, 4, 8], "filters": 24, "mask_filters": 4},
    "lfcc": {"coefficients": 12},
    "mfcc": {"coefficients": 12},
    "logmel": {"filters": 24},
    "acrnn": {"frames": 98, "channels": 4, "later_channels": 4, "hidden": 16, "lstm": 8},
    "speech-quality": {"width": 16, "layers_count": 1},
    "xlsr": {"hidden": 16, "layers_count": 2, "heads": 2, "ffn": 32, **CONVOLUTIONS},
    "speech-model": {"layer": "all"},
    "emotion-model": {"layer": 1},
    "whisper": {"width": 16, "heads": 2, "layers_count": 1, "positions": 100},
    "torchaudio-bundle": {},
    "fairseq-model": {},
}
#: Encoders whose package is an extra: absent, they must say so.
OPTIONAL = {"torchaudio-bundle": "torchaudio", "fairseq-model": "fairseq"}
LOSSES: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "oc-softmax": {},
    "am-softmax": {},
    "aam-softmax": {},
    "acs": {},
    "eoc-softmax": {},
    "bonafide-pairs": {},
    "p2sgrad": {},
    "samo": {"num_centres": 4},
    "weighted-sum": {"parts": [{"name": "oc-softmax"}, {"name": "bonafide-pairs"}]},
    "split-sum": {"weights": [0.5, 1.0]},
}
TOYS = {"encoders": ENCODERS, "heads": HEADS, "losses": LOSSES}
OURS = [name for name in ENCODERS if name not in OPTIONAL]
EMBEDDING_DIM = 16


def encoder_of(name: str) -> Encoder:
    torch.manual_seed(0)
    encoder: Encoder = registry.build("encoders", name, **ENCODERS[name])
    return encoder.eval()


def loss_of(name: str) -> Loss:
    torch.manual_seed(0)
    return registry.build("losses", name, EMBEDDING_DIM, **LOSSES[name])


def head_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    views, arguments = HEADS[name]
    return registry.build("heads", name, views, **arguments).eval()


def load_ours(kind: str, name: str) -> Any:
    """The plugin; an optional one whose package is absent is checked for its message instead."""
    try:
        return registry.load(kind, name)
    except ValueError as error:
        package = OPTIONAL[name]
        remedy = registry.HOW_TO_INSTALL[package]
        assert f"needs the package {package!r}, which is not installed: {remedy}" in str(error)
        pytest.skip(f"{package} is not installed; its message is right")


@pytest.mark.parametrize("kind", list(TOYS))
def test_every_plugin_of_ours_has_its_toy(kind: str) -> None:
    """The dictionaries above are complete: a new plugin without a line is not tested below."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = set(project["entry-points"][f"amsdf.{kind}"])
    assert declared == set(TOYS[kind]), "give the new plugin a line in tests/test_conformance.py"


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
)
def test_constructors_are_a_schema(kind: str, name: str) -> None:
    """Typed arguments with defaults, which YAML can hold; no `**kwargs`, no device, no path."""
    if kind == "corpora":
        return
    plugin = load_ours(kind, name)
    hints = typing.get_type_hints(plugin.__init__)
    for key, parameter in registry.parameters(kind, name).items():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL), key
        assert key in hints, f"{key} has no type"
        assert key not in ("device", "path", "root"), key
        needed = key == "of" or (name, key) in {("noise", "source"), ("babble", "source")}
        assert needed or parameter.default is not parameter.empty, f"{key} has no default"
    assert inspect.getdoc(plugin), "no docstring, so `amsdf plugins` says nothing about it"


# Encoders


@pytest.mark.any_processor
@pytest.mark.parametrize("name", OURS)
def test_encoder(name: str) -> None:
    """Shape, width, determinism, batch mates, gradient, state, 0.1 s, 20 s, padding, bfloat16."""
    check_encoder(encoder_of(name), samples=SAMPLE_RATE)


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_optional_encoder_says_what_it_needs(name: str) -> None:
    load_ours("encoders", name)


@pytest.mark.parametrize("name", OURS)
@torch.no_grad()
def test_whole_utterances_of_very_different_lengths(name: str) -> None:
    """Trap 'mask lost before pooling', at its beginning: 0.1 s beside 1 s and 3 s."""
    encoder = encoder_of(name)
    assert has_parameter(encoder.forward, "lengths"), "an encoder of ours works on whole utterances"
    lengths = torch.tensor([SAMPLE_RATE // 10, SAMPLE_RATE, 3 * SAMPLE_RATE])
    padded = waveforms(3, int(lengths.max())) * mask_of(lengths, int(lengths.max()))
    together = encoder(padded, lengths)
    counts = encoder.node_counts(lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = encoder(padded[row : row + 1, :length], lengths[row : row + 1])
        count = alone.shape[-2] if counts is None else int(counts[row])
        assert 1 <= count <= alone.shape[-2]
        close(together[row, ..., :count, :], alone[0, ..., :count, :])


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_silence_stays_finite(name: str, value: float) -> None:
    """A logarithm, a root or a normalisation without a floor gives NaN, or a NaN gradient."""
    encoder = encoder_of(name)
    nodes = encoder(torch.full((2, SAMPLE_RATE), value))
    assert torch.isfinite(nodes).all()
    if nodes.requires_grad:
        nodes.square().sum().backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@torch.no_grad()
def test_weights_in_another_precision(name: str, dtype: torch.dtype) -> None:
    """Trap 'fp16 overflow to NaN': the weights themselves cast, the waveform kept.

    The nodes have the type of the weights, so that a head that was cast with them can take them.
    """
    nodes = encoder_of(name).to(dtype)(waveforms(2, SAMPLE_RATE))
    assert torch.isfinite(nodes).all() and nodes.dtype == dtype


@pytest.mark.parametrize("name", OURS)
def test_training_mode_of_one_clip(name: str) -> None:
    """A batch of one trains: no norm over the batch refuses it, all gradients are finite."""
    encoder = encoder_of(name).train()
    nodes = encoder(waveforms(1, SAMPLE_RATE))
    if not nodes.requires_grad:
        pytest.skip("a fixed feature has nothing to train")
    nodes.square().mean().backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", OURS)
def test_construction_repeats_itself(name: str) -> None:
    """Weights come from torch's generator alone, and evaluation draws nothing from it."""
    first, second = encoder_of(name).state_dict(), encoder_of(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    encoder, state = encoder_of(name), torch.get_rng_state()
    encoder(waveforms(1, SAMPLE_RATE))
    assert torch.equal(state, torch.get_rng_state())


# Heads


@pytest.mark.parametrize("name", sorted(HEADS))
def test_head(name: str) -> None:
    """Shape, determinism, batch mates, gradient to every view, masks, state, bfloat16."""
    check_head(head_of(name), HEADS[name][0], nodes=24)


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize("nodes", [4, 1000], ids=["0.1s", "20s"])
@torch.no_grad()
def test_head_at_extreme_lengths(name: str, nodes: int) -> None:
    given = view_tensors(HEADS[name][0], nodes, batch=1)
    assert torch.isfinite(head_of(name)(given)).all()


@pytest.mark.parametrize("name", sorted(HEADS))
@torch.no_grad()
def test_head_in_half_precision(name: str) -> None:
    """Large nodes, as speech models have them, must not overflow on their way."""
    given = {view: 30 * nodes for view, nodes in view_tensors(HEADS[name][0]).items()}
    head = head_of(name).to(torch.bfloat16)
    halved = {view: nodes.to(torch.bfloat16) for view, nodes in given.items()}
    assert torch.isfinite(head(halved)).all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(head_of(name)(given)).all()


# Losses


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss(name: str) -> None:
    """Scalar, finite, bona fide learnt to be higher, strange labels refused, state saved."""
    loss = loss_of(name)
    if not loss.has_score:
        pytest.skip("only a part of weighted-sum; see test_losses.py")
    check_loss(loss, EMBEDDING_DIM)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_loss_of_large_halved_embeddings(name: str, dtype: torch.dtype) -> None:
    """Trap 'fp16 overflow to NaN': the square of 1000 is beyond float16."""
    loss = loss_of(name)
    embeddings = 1000 * torch.randn(6, EMBEDDING_DIM, generator=torch.Generator().manual_seed(0))
    embeddings = embeddings.to(dtype).requires_grad_()
    labels = torch.tensor([1, 0, 1, 0, 0, 1])
    value = loss(embeddings, labels, embeddings) if loss.wants_pairs else loss(embeddings, labels)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(embeddings.grad).all()
    if loss.has_score:
        assert torch.isfinite(loss.score(embeddings)).all()


# Augmentations


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sounds")
    for part, count in (("noise", 1), ("voices", 3)):
        (root / part).mkdir()
        for index in range(count):
            noise = 0.1 * waveforms(1, 4000, index)[0].numpy()
            soundfile.write(root / part / f"{index}.wav", noise, SAMPLE_RATE)
    return {"sounds": root}


@pytest.mark.parametrize("name", registry.names("augmentations"))
@pytest.mark.parametrize("seconds", [0.1, 20])
def test_augmentation_in_another_process(name: str, seconds: float, sounds) -> None:
    """It travels to a worker (pickled), there gives the same, and takes memory it may not write."""
    augmentation = registry.build("augmentations", name, **ARGUMENTS.get(name, {}))
    augmentation.prepare(sounds)
    waveform = waveforms(1, int(seconds * SAMPLE_RATE))[0].numpy()
    waveform.setflags(write=False)
    here = augmentation(waveform, np.random.default_rng(3))
    there = pickle.loads(pickle.dumps(augmentation))(waveform, np.random.default_rng(3))
    np.testing.assert_array_equal(here, there)
    assert here.dtype == np.float32 and here.ndim == 1 and np.isfinite(here).all()
