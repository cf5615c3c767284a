"""Number formats of the encoders: close to float32, converted once, and chosen by what is quick."""

import gc

import pytest
import torch
from torch import nn
from toys import toy_experiment

from amsdf.detector.detector import Detector
from amsdf.detector.inference import precision
from amsdf.detector.inference.lower_linear import _KEPT, LowerLinear
from amsdf.detector.inference.precision import describe_formats, formats, quickest, slowness
from amsdf.detector.inference.scores import ScoreSettings, score_batch
from amsdf.plain import is_plain

CPU = torch.device("cpu")


@pytest.fixture
def times(monkeypatch):
    """What products are said to take, by kind."""
    known = {"linear": {}, "conv": {}}
    monkeypatch.setattr(precision, "product_seconds", lambda kind, device: known[kind])
    return known


@pytest.mark.parametrize(("to", "error"), [("bf16", 0.02), ("int8", 0.05)])
def test_a_linear_layer_in_a_lower_format_is_close(to: str, error: float) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(256, 128), torch.randn(7, 3, 256)
    with torch.inference_mode():
        expected = layer(inputs)
        with LowerLinear(to):
            found = layer(inputs).float()
    assert 0 < (found - expected).std() / expected.std() < error


@pytest.mark.parametrize("to", ["bf16", "int8"])
def test_converted_weights_are_kept_and_follow_the_weights(to: str) -> None:
    layer, inputs = nn.Linear(256, 128), torch.randn(1, 256)
    with torch.no_grad(), LowerLinear(to):
        layer(inputs)
        kept = _KEPT[to][layer.weight]
        layer(inputs)
        assert _KEPT[to][layer.weight] is kept
        layer.weight.zero_()
        layer.bias.fill_(3.0)
        assert torch.equal(layer(inputs).float(), torch.full((1, 128), 3.0))

    before = len(_KEPT[to])
    del layer, kept
    gc.collect()
    assert len(_KEPT[to]) == before - 1


def test_small_layers_and_other_functions_stay_as_they_are() -> None:
    layer, inputs = nn.Linear(16, 16), torch.randn(2, 16)
    with torch.no_grad():
        expected = layer(inputs).relu()
        with LowerLinear("int8"):
            assert torch.equal(layer(inputs).relu(), expected)


def test_auto_takes_the_finest_format_that_is_quick(times) -> None:
    encoders = nn.ModuleDict({"text": nn.Linear(4, 4), "audio": nn.Conv1d(4, 4, 3)})
    times |= {"linear": {"fp32": 1.0, "bf16": 0.3, "int8": 0.1}, "conv": {"fp32": 1.0, "bf16": 0.3}}
    assert formats(encoders, "auto", CPU) == {"text": "bf16", "audio": "bf16"}

    times |= {"linear": {"fp32": 1.0, "bf16": 7.0, "int8": 0.6}, "conv": {"fp32": 1.0, "bf16": 7.0}}
    chosen = formats(encoders, "auto", CPU)
    assert describe_formats("auto", chosen) == "auto (text int8, audio fp32)"

    times["linear"] |= {"int8": 0.9}
    assert quickest("linear", "cpu") == "fp32"


def test_a_slow_format_says_so(times) -> None:
    times["linear"] |= {"fp32": 1.0, "bf16": 7.25, "int8": 0.5}
    assert slowness("bf16", CPU).startswith("--precision bf16: products take 7.2 times as long")
    assert not slowness("int8", CPU)
    assert not slowness("auto", CPU)


def test_this_processor_is_measured() -> None:
    assert precision.product_seconds("linear", "cpu").keys() == {"fp32", "bf16", "int8"}
    assert all(value > 0 for value in precision.product_seconds("conv", "cpu").values())


def test_what_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="give one of fp32, bf16, int8, auto"):
        formats(nn.ModuleDict(), "fp8", CPU)
    with pytest.raises(ValueError, match="on a GPU give bf16"):
        formats(nn.ModuleDict(), "int8", torch.device("cuda"))


@pytest.mark.parametrize("to", ["bf16", "int8", "auto"])
def test_scores_in_a_lower_format_are_close_and_heads_compute_in_float32(to, monkeypatch) -> None:
    monkeypatch.setattr("amsdf.detector.inference.lower_linear._LEAST_WEIGHTS", 1)
    torch.manual_seed(0)
    detector = Detector.build(toy_experiment()).eval()
    seen = []
    detector.head.register_forward_pre_hook(
        lambda _, args: seen.append((args[0]["audio"].dtype, torch.is_autocast_enabled("cpu")))
    )
    waveform = torch.randn(3, 16_000)
    expected, _ = score_batch(detector, waveform, None, ScoreSettings())
    found, _ = score_batch(detector, waveform, None, ScoreSettings(precision=to))
    assert found == pytest.approx(expected, abs=0.05)
    assert set(seen) == {(torch.float32, False)}


def test_plain_is_the_straightforward_way() -> None:
    detector, seen = Detector.build(toy_experiment()).eval(), []
    detector.head.register_forward_pre_hook(lambda *_: seen.append(is_plain()))
    for plain in (False, True):
        score_batch(detector, torch.randn(1, 16_000), None, ScoreSettings(plain=plain))
    assert seen == [False, True]
