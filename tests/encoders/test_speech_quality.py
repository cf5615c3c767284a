"""The speech quality view reads the published names, and positions end where the model's end."""

from pathlib import Path

import pytest
import torch

from encoders.speech_quality import LONGEST, NAMES, SpeechQualityEncoder


def published(encoder: SpeechQualityEncoder) -> dict[str, torch.Tensor]:
    """The weights of an encoder under the names of the package `distillmos`."""
    theirs = {ours: name for name, ours in NAMES.items() if ours}
    state = {}
    for key, tensor in encoder.state_dict().items():
        start = next((ours for ours in theirs if key.startswith(ours)), "")
        place = theirs.get(start, "transformer_pool_attn.transformer.position_encoding.")
        state[place + key.removeprefix(start)] = tensor
    return state


def test_the_published_file_is_read_and_what_rates_quality_is_left_out(tmp_path: Path) -> None:
    torch.manual_seed(1)
    giver = SpeechQualityEncoder(layers_count=2).eval()
    giver.pe.normal_()
    content = published(giver) | {"transformer_pool_attn.pool.linear3.bias": torch.zeros(1)}
    torch.save({"model": content, "step": 7}, tmp_path / "quality.pt")
    taker = SpeechQualityEncoder(layers_count=2).eval()
    taker.load_pretrained(tmp_path / "quality.pt")
    sound = torch.randn(1, 16_000)
    with torch.inference_mode():
        assert torch.equal(giver(sound), taker(sound))


def test_a_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"cnn.cnn.0.bias": torch.zeros(64)}}, tmp_path / "cut.pt")
    with pytest.raises(ValueError, match="weights do not fit the model"):
        SpeechQualityEncoder(layers_count=1).load_pretrained(tmp_path / "cut.pt")


@torch.inference_mode()
def test_longer_recordings_are_encoded_in_parts() -> None:
    encoder = SpeechQualityEncoder(layers_count=1).eval()
    sound = torch.randn(1, LONGEST + 32_000)
    whole = encoder(sound)
    assert whole.shape[1] == int(encoder.node_counts(torch.tensor(sound.shape[1])))
    torch.testing.assert_close(whole[:, :384], encoder(sound[:, :LONGEST]))


@torch.inference_mode()
def test_loudness_does_not_matter() -> None:
    encoder, sound = SpeechQualityEncoder(layers_count=1).eval(), torch.randn(1, 16_000)
    torch.testing.assert_close(encoder(0.01 * sound), encoder(sound), atol=1e-4, rtol=1e-4)


def test_joined_states_are_front_and_last_side_by_side() -> None:
    torch.manual_seed(0)
    joined = SpeechQualityEncoder(layers_count=1).eval()
    sound = torch.randn(1, 8_000)
    for states, where in (("front", slice(0, 1024)), ("last", slice(-200, None))):
        one = SpeechQualityEncoder(states=states, layers_count=1).eval()
        one.load_state_dict(joined.state_dict())
        with torch.inference_mode():
            torch.testing.assert_close(joined(sound)[..., where], one(sound))
