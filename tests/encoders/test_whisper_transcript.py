"""`whisper: states: decoder`: openai's own greedy decoding, held states, files, freezing."""

from dataclasses import asdict

import pytest
import torch
from golden_names import close
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperForConditionalGeneration
from whisper.decoding import DecodingOptions
from whisper.model import ModelDimensions, Whisper

from amsdf.config import Experiment
from amsdf.detector.detector import Detector
from amsdf.testing import REPEATED, check_encoder, waveforms
from encoders.whisper import WhisperEncoder

ENGLISH, MULTILINGUAL, THIRD = 51_864, 51_865, 51_866
TOKENS = 8
TINY = {
    **{"width": 16, "heads": 2, "layers_count": 1, "num_mels": 8, "positions": 100},
    **{"text_layers": 2, "vocabulary": ENGLISH, "states": "decoder", "tokens": TOKENS},
}


def official(vocabulary: int) -> Whisper:
    """A tiny model of which some transcripts end early, some not."""
    torch.manual_seed(0)
    model = Whisper(ModelDimensions(8, 100, 16, 2, 1, vocabulary, 448, 16, 2, 2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.4)
        end_of_text = 50_256 if vocabulary == ENGLISH else 50_257
        model.decoder.token_embedding.weight[end_of_text] *= 10
    return model


def save(model: Whisper, path) -> None:
    torch.save({"dims": asdict(model.dims), "model_state_dict": model.state_dict()}, path)


def loaded(path, **arguments) -> WhisperEncoder:
    known = WhisperEncoder.architecture_of(path)
    encoder = WhisperEncoder(**known, states="decoder", tokens=TOKENS, **arguments).eval()
    encoder.load_pretrained(path)
    return encoder


def chosen_from(model: Whisper, part: nn.Module, features: Tensor) -> Tensor:
    """States of one clip, (tokens, D), at the last place of every step of openai's decoding."""
    seen: list[Tensor] = []
    handle = part.register_forward_hook(lambda _, given, output: seen.append(output[0, -1]))
    language = None if model.is_multilingual else "en"
    options = {"sample_len": TOKENS, "without_timestamps": True, "fp16": False}
    model.decode(features, DecodingOptions(language=language, **options))
    handle.remove()
    steps = seen[1:] if model.is_multilingual else seen  # the first one finds the language
    return torch.stack([*steps, *[steps[-1]] * (TOKENS - len(steps))])


@pytest.mark.parametrize("vocabulary", [ENGLISH, MULTILINGUAL, THIRD])
@torch.no_grad()
def test_nodes_are_the_states_that_openai_decodes_from(tmp_path, vocabulary):
    model = official(vocabulary)
    save(model, tmp_path / "tiny.pt")
    transcriber = loaded(tmp_path / "tiny.pt").transcriber
    clips = 3 * torch.randn(12, 100, 16, generator=torch.Generator().manual_seed(1))
    states, final = transcriber(clips)
    assert final.shape == (12, TOKENS, 16) and len(states) == 3
    held = [bool((clip[-1] == clip[-2]).all()) for clip in final]
    assert any(held) and not all(held), "the clips should end early and late"
    for row, clip in enumerate(clips):
        close(final[row], chosen_from(model, model.decoder.ln, clip))
        close(states[1][row], chosen_from(model, model.decoder.blocks[0], clip))


@torch.no_grad()
def test_waveforms_to_states_through_openai_alone(tmp_path):
    model = official(MULTILINGUAL)
    save(model, tmp_path / "tiny.pt")
    encoder, wave = loaded(tmp_path / "tiny.pt"), waveforms(1, 16_000)
    mel = encoder.mel(nn.functional.pad(wave, (0, 16_000)))[0].T
    close(encoder(wave)[0], chosen_from(model, model.decoder.ln, mel))


@pytest.mark.parametrize("layer", ["last", 1, "all", "weighted"])
def test_conformance(layer):
    torch.manual_seed(0)
    check_encoder(WhisperEncoder(**TINY, layer=layer), samples=48_000)


def test_a_number_of_nodes_for_each_window():
    encoder = WhisperEncoder(**TINY)
    lengths = torch.tensor([50, 32_000, 32_001, 70_000])
    assert encoder.node_counts(lengths).tolist() == [TOKENS, TOKENS, 2 * TOKENS, 3 * TOKENS]
    with torch.no_grad():
        assert encoder(waveforms(1, 32_001)).shape == (1, 2 * TOKENS, 16)


@torch.no_grad()
def test_hugging_face_folder_gives_what_the_official_file_gives(tmp_path):
    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=64,
        vocab_size=ENGLISH,
        num_mel_bins=8,
        max_source_positions=100,
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config).eval()
    model.save_pretrained(tmp_path)
    encoder = loaded(tmp_path)
    features = torch.randn(2, 100, 16)
    inputs, places = encoder.transcriber._transcribe(features)
    theirs = model.model.decoder(inputs, encoder_hidden_states=features).last_hidden_state
    index = places[..., None].expand(-1, -1, 16)
    close(encoder.transcriber(features)[1], theirs.gather(1, index))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_weights_in_another_precision(dtype):
    nodes = WhisperEncoder(**TINY).to(dtype)(waveforms(2, 16_000))
    assert nodes.dtype == dtype and torch.isfinite(nodes).all()


def test_construction_repeats_itself_and_can_be_distributed():
    """Trap: whisper leaves memory unset, and a sparse buffer that no process can send."""
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        encoder = WhisperEncoder(**TINY)
        states.append(encoder.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not any(buffer.is_sparse for buffer in encoder.buffers())
    assert not any("transcriber.encoder" in key for key in states[0])


def test_layers_that_only_write_text_do_not_learn():
    torch.manual_seed(0)
    encoder = WhisperEncoder(**{**TINY, "text_layers": 3}, layer=1)
    encoder(waveforms(1, 8000)).square().mean().backward()
    learning = {name for name, p in encoder.named_parameters() if p.requires_grad}
    reached = {name for name, p in encoder.named_parameters() if p.grad is not None}
    # An embedding of positions or a bias of keys may get a zero, but everything is reached.
    assert reached == learning
    assert not any(".blocks.1." in name or ".blocks.2." in name for name in learning)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_detector_trains_and_opens_again(tmp_path, freeze):
    torch.manual_seed(0)
    view = {"encoder": "whisper", "freeze": freeze, **TINY}
    experiment = Experiment.parse({"views": {"text": view}, "head": "pool-linear"})
    detector, wave = Detector.build(experiment), waveforms(2, 16_000)
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    optimizer = torch.optim.SGD(detector.parameter_groups(0.1))
    detector.train()
    detector.loss(detector(wave), torch.tensor([1, 0])).backward()
    optimizer.step()
    moved = {key for key, value in detector.state_dict().items() if (value != before[key]).any()}
    assert any(".transcriber.decoder.blocks.1." in key for key in moved) != freeze
    detector.save_pretrained(tmp_path / "saved")
    with torch.no_grad():
        opened = Detector.from_pretrained(tmp_path / "saved")
        close(opened.score(wave), detector.eval().score(wave), REPEATED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": 50}, "vocabulary is 50; a transcript needs one of Whisper's own: 51864"),
        ({"tokens": 0}, "tokens is 0; it must be 1 to 444"),
        ({"tokens": 445}, "tokens is 445; it must be 1 to 444"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        WhisperEncoder(**{**TINY, **changes})


def test_other_heads_in_the_decoder_are_refused(tmp_path):
    model = official(ENGLISH)
    model.dims.n_text_head = 4
    save(model, tmp_path / "tiny.pt")
    with pytest.raises(ValueError, match="its decoder has 4 heads; it must have 2"):
        loaded(tmp_path / "tiny.pt")
