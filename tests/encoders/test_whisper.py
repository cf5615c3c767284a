"""Whisper: openai's own numbers, files of both kinds, the 30 s window, padding."""

from dataclasses import asdict

import pytest
import torch
import whisper
from golden_names import close, golden
from kept_files import shared_path
from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperModel
from whisper.audio import mel_filters
from whisper.model import ModelDimensions, Whisper

from amsdf.testing import check_encoder, waveforms
from encoders._padding import lengthen
from encoders._whisper_files import MODELS, dimensions
from encoders.whisper import WhisperEncoder

TINY = {"width": 16, "heads": 2, "layers_count": 2}
WINDOW = {**TINY, "num_mels": 8, "positions": 100}  # 2 s


def official(num_mels: int = 80, positions: int = 1500) -> Whisper:
    torch.manual_seed(0)
    model = Whisper(ModelDimensions(num_mels, positions, 16, 2, 2, 50, 8, 16, 2, 1)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2)
    return model


def save(model: Whisper, path) -> None:
    torch.save({"dims": asdict(model.dims), "model_state_dict": model.state_dict()}, path)


def loaded(path, **arguments) -> WhisperEncoder:
    encoder = WhisperEncoder(**WhisperEncoder.architecture_of(path), **arguments).eval()
    encoder.load_pretrained(path)
    return encoder


@pytest.mark.parametrize("num_mels", [80, 128])
def test_log_mel_equals_openai(num_mels):
    numbers = golden("features.safetensors")
    wave = lengthen(numbers["waveform"][None], 480_000)
    encoder = WhisperEncoder(**TINY, num_mels=num_mels)
    mels = encoder.mel(wave)[0].T[:, numbers["whisper_repo/frame_index"]]
    kind = "logmel" if num_mels == 80 else "logmel128"
    close(mels, numbers[f"whisper_openai/{kind}_zeropad30_at_index"], 4e-5)  # few bins a band


@pytest.mark.parametrize("num_mels", [80, 128])
def test_log_mel_is_that_of_the_package(num_mels):
    """Of one clip at a time: theirs takes its loudest level from the whole batch."""
    encoder, wave = WhisperEncoder(**TINY, num_mels=num_mels), waveforms(2, 32_000)
    wave[1] *= 1e-3
    theirs = torch.stack([whisper.log_mel_spectrogram(clip, num_mels).T for clip in wave])
    close(encoder.mel(wave), theirs, 4e-5)  # as above
    close(encoder.mel.bank.T, mel_filters("cpu", num_mels))


@torch.no_grad()
def test_official_file_gives_openais_states(tmp_path):
    model = official()
    save(model, tmp_path / "tiny.pt")
    wave = waveforms(2, 16_000)
    encoder = loaded(tmp_path / "tiny.pt", layer="all", pad_to_30s=True)
    assert encoder.layers == 3
    mels = encoder.mel(lengthen(wave, 480_000)).transpose(1, 2)
    states = encoder(wave)
    assert states.shape == (2, 3, 50, 16)
    close(states[:, -1], model.encoder(mels)[:, :50])
    one = loaded(tmp_path / "tiny.pt", layer=1, pad_to_30s=True)
    close(one(wave), states[:, 1])


@torch.no_grad()
def test_long_recordings_are_encoded_window_by_window(tmp_path):
    save(official(positions=100), tmp_path / "short.pt")
    encoder = loaded(tmp_path / "short.pt", pad_to_30s=True)
    wave = waveforms(1, 32_000 * 2 + 100)
    nodes = encoder(wave)
    assert nodes.shape[1] == 201 == encoder.node_counts(torch.tensor([wave.shape[1]]))
    close(nodes[:, 100:200], encoder(wave[:, 32_000:64_000]))


@pytest.mark.parametrize("kind", [WhisperModel, WhisperForConditionalGeneration])
def test_hugging_face_folder(tmp_path, kind):
    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        vocab_size=60,
        pad_token_id=0,
        num_mel_bins=20,
    )
    torch.manual_seed(0)
    model = kind(config).eval()
    model.save_pretrained(tmp_path)
    encoder = loaded(tmp_path, pad_to_30s=True)
    wave = waveforms(1, 8000)
    with torch.no_grad():
        mels = encoder.mel(lengthen(wave, 480_000)).transpose(1, 2)
        expected = model.get_encoder()(mels).last_hidden_state[:, :25]
        close(encoder(wave), expected)
    with pytest.raises(ValueError, match="misshapen: conv1"):
        WhisperEncoder(**TINY, num_mels=40).load_pretrained(tmp_path)


@pytest.mark.parametrize("pad_to_30s", [False, True])
@pytest.mark.parametrize("layer", ["last", "all"])
def test_conformance(layer, pad_to_30s):
    """Trap: mask lost. A padded clip equals the clip alone, windows included."""
    torch.manual_seed(0)
    check_encoder(WhisperEncoder(**WINDOW, layer=layer, pad_to_30s=pad_to_30s), samples=48_000)


@torch.no_grad()
def test_short_clips_beside_long_ones():
    encoder = WhisperEncoder(**WINDOW).eval()
    lengths = torch.tensor([50, 1700, 32_000, 32_100, 40_000])
    padded = waveforms(5, 40_000)
    for row, length in enumerate(lengths):
        padded[row, length:] = 0
    counts = encoder.node_counts(lengths)
    together = encoder(padded, lengths)
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        alone = encoder(padded[row : row + 1, :length])
        assert alone.shape[1] == count
        close(together[row, :count], alone[0])


@pytest.mark.parametrize(
    ("size", "numbers"),
    {
        "tiny": (384, 6, 4, 80, 4, 51_865),
        "small.en": (768, 12, 12, 80, 12, 51_864),
        "large-v2": (1280, 20, 32, 80, 32, 51_865),
        "large": (1280, 20, 32, 128, 32, 51_866),
        "turbo": (1280, 20, 32, 128, 4, 51_866),
    }.items(),
)
def test_sizes_before_any_file(size, numbers):
    with torch.device("meta"):
        encoder = WhisperEncoder(size=size)
    dims = encoder.network.dims
    assert (encoder.dim, len(encoder.network.layers)) == (numbers[0], numbers[2])
    assert numbers == (
        *(dims.n_audio_state, dims.n_audio_head, dims.n_audio_layer),
        *(dims.n_mels, dims.n_text_layer, dims.n_vocab),
    )


def test_every_size_of_openais_list_is_known():
    assert whisper.available_models() == list(MODELS)
    assert all(dimensions(name).n_audio_state >= 384 for name in MODELS)
    with pytest.raises(ValueError, match=r"size is 'smal'\. Did you mean 'small'.* one of tiny.en"):
        WhisperEncoder(size="smal")


@torch.no_grad()
def test_real_weights(tmp_path):
    """The encoder of tiny.en opens; asked for a transcript, it misses the decoder."""
    folder = shared_path("weights", "whisper-tiny.en-encoder")
    nodes = loaded(folder)(waveforms(1, 16_000))
    assert nodes.shape == (1, 50, 384) and 0.1 < float(nodes.std()) < 10
    with pytest.raises(ValueError, match="missing: embed_positions"):
        loaded(folder, states="decoder")


def test_wrong_files_are_named(tmp_path):
    """Trap: strict=False hides a wrong checkpoint (defect A10)."""
    save(official(), tmp_path / "tiny.pt")
    with pytest.raises(ValueError, match=r"conv1\.weight \(16, 80, 3\) instead of \(8, 80, 3\)"):
        WhisperEncoder(width=8, heads=2, layers_count=2).load_pretrained(tmp_path / "tiny.pt")
    with pytest.raises(ValueError, match=r"missing: .*layers\.2"):
        WhisperEncoder(**{**TINY, "layers_count": 3}).load_pretrained(tmp_path / "tiny.pt")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="no openai-whisper file"):
        WhisperEncoder.architecture_of(tmp_path / "other.pt")
    (tmp_path / "config.json").write_text('{"model_type": "hubert"}')
    with pytest.raises(ValueError, match="use 'speech-model'"):
        WhisperEncoder.architecture_of(tmp_path)
