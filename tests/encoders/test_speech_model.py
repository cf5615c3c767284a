"""Hugging Face speech models from folders: architecture, weights, padding, filter banks."""

import json

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForAudioClassification,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
)

from amsdf.testing import check_encoder, waveforms
from encoders._kaldi_fbank import KaldiFilterBank
from encoders._padding import standardise
from encoders.speech_model import EmotionModelEncoder, SpeechModelEncoder

CONVOLUTIONAL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
MODELS = {
    "wav2vec2": {**CONVOLUTIONAL, **LARGE},
    "wavlm": {**CONVOLUTIONAL, **LARGE},
    "wavlm-base": CONVOLUTIONAL,
    "hubert": {**CONVOLUTIONAL, **LARGE},
    "hubert-base": CONVOLUTIONAL,
    "unispeech-sat": {**CONVOLUTIONAL, **LARGE},
    "data2vec-audio": {**CONVOLUTIONAL, "conv_pos_kernel_size": 5, "num_conv_pos_embeddings": 2},
    "wav2vec2-bert": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "feature_projection_input_dim": 160,
    },
}


def config_of(name: str) -> dict:
    return {"model_type": name.removesuffix("-base"), **MODELS[name]}


def hugging_face(name: str, kind=AutoModel, **more):
    config = config_of(name)
    torch.manual_seed(0)
    return kind.from_config(AutoConfig.for_model(**config, **more)).eval()


@pytest.mark.parametrize("layer", ["last", "all"])
@pytest.mark.parametrize("name", MODELS)
def test_conformance(name, layer):
    """Trap: mask lost before pooling. Exact for every family, whatever its front and positions."""
    torch.manual_seed(0)
    check_encoder(SpeechModelEncoder(config=config_of(name), layer=layer, normalize=True), 16_000)


def test_default_is_small():
    check_encoder(SpeechModelEncoder(), 16_000)
    assert EmotionModelEncoder().dim == 64


@pytest.mark.parametrize("name", MODELS)
def test_folder_gives_the_models_own_states(tmp_path, name):
    model = hugging_face(name)
    model.save_pretrained(tmp_path)
    extractor = SeamlessM4TFeatureExtractor() if "2-bert" in name else Wav2Vec2FeatureExtractor()
    extractor.save_pretrained(tmp_path)
    arguments = SpeechModelEncoder.architecture_of(tmp_path)
    json.dumps(arguments)  # plain values
    encoder = SpeechModelEncoder(**arguments, layer="all").eval()
    encoder.load_pretrained(tmp_path)
    wave = waveforms(1, 8000)
    given = extractor(wave[0].numpy(), sampling_rate=16_000, return_tensors="pt")
    given.pop("attention_mask", None)
    with torch.no_grad():
        expected = model(**given, output_hidden_states=True)
        states = encoder(wave)
    count = states.shape[2]
    for index in range(2):
        state = expected.hidden_states[index][:, :count]
        assert torch.allclose(states[:, index], state, atol=1e-4)
    assert torch.allclose(states[:, -1], expected.last_hidden_state[:, :count], atol=1e-4)


def test_filter_bank_equals_the_feature_extractor():
    """Odd and even frame counts; a clip beside a longer one."""
    extractor, bank = SeamlessM4TFeatureExtractor(), KaldiFilterBank()
    wave = waveforms(2, 9000)
    lengths = torch.tensor([5000, 9000])
    wave[0, 5000:] = 0
    nodes = bank(wave, lengths)
    for row, length in enumerate(lengths):
        clip = wave[row, :length].numpy()
        given = extractor(clip, sampling_rate=16_000, return_tensors="pt", pad_to_multiple_of=1)
        expected = given["input_features"][0]
        assert len(expected) == bank.counts(lengths)[row]
        assert torch.allclose(nodes[row, : len(expected)], expected, atol=2e-3)
        assert not nodes[row, len(expected) :].any()


def test_normalisation_over_the_true_length():
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    wave = waveforms(2, 3000) + 0.1
    wave[0, 2000:] = 0
    expected = extractor(
        [wave[0, :2000].numpy(), wave[1].numpy()],
        sampling_rate=16_000,
        padding=True,
        return_tensors="pt",
    )["input_values"]
    assert torch.allclose(standardise(wave, torch.tensor([2000, 3000]), 1e-7), expected, atol=1e-5)


def test_do_normalize_is_read(tmp_path):
    hugging_face("hubert-base").save_pretrained(tmp_path)
    assert SpeechModelEncoder.architecture_of(tmp_path)["normalize"] is True
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    assert SpeechModelEncoder.architecture_of(tmp_path)["normalize"] is False


def test_emotion_model_leaves_its_classifier(tmp_path):
    classifier = hugging_face("hubert-base", AutoModelForAudioClassification, num_labels=4)
    classifier.save_pretrained(tmp_path)
    encoder = EmotionModelEncoder(**EmotionModelEncoder.architecture_of(tmp_path)).eval()
    encoder.load_pretrained(tmp_path)
    wave = waveforms(2, 4000)
    with torch.no_grad():
        expected = classifier.hubert(standardise(wave, None, 1e-7)).last_hidden_state
        assert torch.allclose(encoder(wave), expected, atol=1e-5)
    assert not any("classifier" in key for key in encoder.state_dict())


def test_half_precision_folder_is_read_in_single(tmp_path):
    hugging_face("wavlm").half().save_pretrained(tmp_path)
    encoder = SpeechModelEncoder(**SpeechModelEncoder.architecture_of(tmp_path))
    encoder.load_pretrained(tmp_path)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}


def test_wrong_weights_are_named(tmp_path):
    """Trap: strict=False hides a wrong checkpoint (defect A10)."""
    model = hugging_face("hubert")
    model.save_pretrained(tmp_path)
    arguments = SpeechModelEncoder.architecture_of(tmp_path)
    narrow = {**arguments["config"], "intermediate_size": 8}
    with pytest.raises(ValueError, match=r"misshapen: encoder\.layers\.0\.feed_forward"):
        SpeechModelEncoder(config=narrow).load_pretrained(tmp_path)
    deep = {**arguments["config"], "num_hidden_layers": 3}
    with pytest.raises(ValueError, match=r"missing: .*encoder\.layers\.2"):
        SpeechModelEncoder(config=deep).load_pretrained(tmp_path)
    shallow = {**arguments["config"], "num_hidden_layers": 1}
    with pytest.raises(ValueError, match=r"unknown: encoder\.layers\.1"):
        SpeechModelEncoder(config=shallow).load_pretrained(tmp_path)


OWN_CODE = """
from transformers import PretrainedConfig, Wav2Vec2Config, Wav2Vec2Model
class OwnConfig(Wav2Vec2Config):
    model_type = "own-speech"
class OwnModel(Wav2Vec2Model):
    config_class = OwnConfig
"""


def test_remote_code_only_when_asked(tmp_path):
    """Trap: remote code by default."""
    model = hugging_face("wav2vec2")
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_type"] = "own-speech"
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(OWN_CODE)
    arguments = SpeechModelEncoder.architecture_of(tmp_path)
    with pytest.raises(ValueError, match="trust_remote_code: true if you trust it"):
        SpeechModelEncoder(**arguments)
    encoder = SpeechModelEncoder(**arguments, trust_remote_code=True)
    encoder.load_pretrained(tmp_path)
    assert type(encoder.model).__name__ == "OwnModel"
    (tmp_path / "own.py").unlink()
    arguments["config"]["_name_or_path"] = str(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"give the folder with its \.py files"):
        SpeechModelEncoder(**arguments, trust_remote_code=True)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 24}, "no speech encoder"),
        ({"model_type": "nothing-of-that-name"}, "cannot be built"),
        ({"hidden_size": 16}, "cannot be built"),
    ],
)
def test_models_that_are_none(config, message):
    with pytest.raises(ValueError, match=message):
        SpeechModelEncoder(config=config)


def test_folder_without_configuration(tmp_path):
    with pytest.raises(ValueError, match=r"has no config\.json"):
        SpeechModelEncoder.architecture_of(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        SpeechModelEncoder.architecture_of(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="names no model_type"):
        SpeechModelEncoder.architecture_of(tmp_path)
