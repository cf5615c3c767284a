"""The emotion view against the published network's own numbers."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from golden_names import close
from golden_names import golden as read_golden
from kept_files import golden_path

from amsdf.testing import REPEATED, check_encoder, waveforms
from encoders.acrnn import ACRNNEncoder

SMALL = {"channels": 4, "later_channels": 8, "hidden": 16, "lstm": 8}


@pytest.fixture(scope="module")
def golden():
    return read_golden("acrnn.safetensors")


@pytest.fixture(scope="module")
def published() -> ACRNNEncoder:
    encoder = ACRNNEncoder().double().eval()
    encoder.load_pretrained(golden_path("acrnn_state.pth"))
    return encoder


def test_features(golden, published):
    """Values reach 36, the logarithm of nothing; the reference computes them in float64."""
    wave = golden["input.waveform_int16"].double() / 32768
    close(published.features(wave), golden["input.features"], 1e-7)  # stored in float32
    close(published.features(wave.float()), golden["input.features"], 2e-6)  # quiet bands, float32


@pytest.mark.any_processor
@torch.no_grad()
def test_network(golden, published):
    features = golden["input.features"]
    close(published.conv1(features)[:, :16, :10], golden["out.conv1_frames10"])
    steps = published.steps(features)
    close(steps[:1], golden["out.rnn_utt0"])
    close(published.attention(steps)[..., 0], golden["out.alphas"])
    close(published.attend(steps), golden["out.acrnn"])


@torch.no_grad()
def test_from_waveform_to_the_view_of_amsdf(golden, published):
    nodes = published(golden["input.waveform_int16"].double() / 32768)
    close(nodes, golden["out.acrnn"])
    pooled = F.max_pool2d(nodes, (3, 4))
    state = [golden[f"state.bn.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
    close(F.selu(F.batch_norm(pooled, *state)), golden["out.emotional_view"])


def test_size_of_the_published_network(published):
    """7,335,751 in the file, less its emotion classifier."""
    classifier = 256 * 64 + 64 + 64 * 4 + 4
    assert sum(p.numel() for p in published.parameters()) == 7_335_751 - classifier


@pytest.mark.any_processor
def test_encoder():
    check_encoder(ACRNNEncoder(**SMALL))
    check_encoder(ACRNNEncoder(**SMALL, frames=100), samples=20_000)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_finite(dtype):
    encoder = ACRNNEncoder(**SMALL).eval().to(dtype)
    assert torch.isfinite(encoder(waveforms(2, 8_000))).all()


@pytest.mark.parametrize("samples", [1, 160, 30_000, 48_000, 48_500, 64_600])
def test_features_are_those_of_the_clip_repeated_to_a_fitted_length(samples: int):
    """Trap of the reference: fewer than 300 frames crashed or mixed the clips of a batch."""
    encoder = ACRNNEncoder(**SMALL)
    wave = waveforms(2, samples)
    fitted = wave.repeat(1, -(-64_600 // samples))[:, :64_600]
    close(encoder.features(wave), encoder.features(fitted), REPEATED)
    padded = F.pad(wave, (0, 1_000), value=0.9)
    close(encoder.features(padded, torch.tensor([samples] * 2)), encoder.features(fitted), REPEATED)


def test_everything_happens_on_the_device_of_the_waveform(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    encoder = ACRNNEncoder(**SMALL).to("meta")
    nodes = encoder(torch.empty(2, 16_000, device="meta"), torch.tensor([9_000, 16_000]))
    assert nodes.device.type == "meta"


def test_one_clip_alone_in_training():
    encoder = ACRNNEncoder(**SMALL).train()
    assert encoder(waveforms(1)).shape == (1, 150, 16)


def test_attention_sums_to_one():
    encoder = ACRNNEncoder(**SMALL)
    steps = torch.randn(2, 150, 16, generator=torch.Generator().manual_seed(0))
    assert encoder.attention(steps).sum(1).flatten().tolist() == pytest.approx([1, 1])


def test_messages(tmp_path):
    with pytest.raises(ValueError, match="frames is 301; give an even number"):
        ACRNNEncoder(frames=301)
    path = tmp_path / "ser.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"missing: .*misshapen: conv1.weight"):
        ACRNNEncoder(**SMALL).load_pretrained(path)
    with pytest.raises(ValueError, match="no such file"):
        ACRNNEncoder(**SMALL).load_pretrained(tmp_path / "none.pth")
