"""Hugging Face speech models from folders: architecture, weights, padding, filter banks."""

import json

import pytest
import torch
from golden_names import close
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForAudioClassification,
    HubertModel,
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
        close(states[:, index], state)
    close(states[:, -1], expected.last_hidden_state[:, :count])


def test_filter_bank_equals_the_feature_extractor():
    """Odd and even frame counts; a clip beside a longer one.

    Logarithms of near silence in float32, then every band divided by its deviation: 1e-4.
    """
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
        close(nodes[row, : len(expected)], expected, 1e-4)
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
    close(standardise(wave, torch.tensor([2000, 3000]), 1e-7), expected)


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
        close(encoder(wave), expected)
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


@pytest.fixture
def own_code(tmp_path):
    """A model folder that brings its own code along."""
    hugging_face("wav2vec2").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_type"] = "own-speech"
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(OWN_CODE)
    return tmp_path


def test_remote_code_only_when_the_caller_gives_its_folder(own_code):
    """Trap: remote code by default."""
    arguments = SpeechModelEncoder.architecture_of(own_code)
    assert str(own_code) not in json.dumps(arguments)  # what, never where
    with pytest.raises(ValueError, match="which is not run; give --trust-remote-code if"):
        SpeechModelEncoder(**arguments)
    encoder = SpeechModelEncoder(**arguments, code_folder=own_code)
    encoder.load_pretrained(own_code)
    assert type(encoder.model).__name__ == "OwnModel"
    (own_code / "own.py").unlink()
    with pytest.raises(ValueError, match=r"give the folder with its \.py files"):
        SpeechModelEncoder(**arguments, code_folder=own_code)


@pytest.mark.parametrize(
    "reference", ["somebody/repository--own.OwnModel", "../own.OwnModel", "own", None, ["own.O"]]
)
def test_code_is_never_looked_for_elsewhere(reference, own_code):
    """Not in another folder, and not on the internet by a name in a file."""
    config = SpeechModelEncoder.architecture_of(own_code)["config"]
    config["auto_map"]["AutoModel"] = reference
    with pytest.raises(ValueError, match=r"auto_map has no AutoModel of the form 'file\.Class'"):
        SpeechModelEncoder(config=config, code_folder=own_code)
    config["auto_map"] = {"AutoModel": "own.OwnModel"}
    with pytest.raises(ValueError, match="auto_map has no AutoConfig"):
        SpeechModelEncoder(config=config, code_folder=own_code)


def test_a_configuration_names_nothing_to_fetch():
    """An attention kernel, or a quantiser, by the name of a repository."""
    bait = {"attn_implementation": "somebody/kernel", "quantization_config": {"quant_method": "x"}}
    encoder = SpeechModelEncoder(config={**config_of("hubert"), **bait, "_name_or_path": "a/b"})
    config = encoder.model.config
    assert config._attn_implementation in ("sdpa", "eager")
    assert not hasattr(config, "quantization_config") and not config._name_or_path


def test_a_folder_is_read_without_the_network(tmp_path, monkeypatch):
    """transformers is told so each time: the tests' own HF_HUB_OFFLINE would hide it."""
    hugging_face("hubert").save_pretrained(tmp_path)
    read, allowed = HubertModel.from_pretrained.__func__, []

    def watched(cls, *given, **options):
        allowed.append(not options.get("local_files_only"))
        return read(cls, *given, **options)

    monkeypatch.setattr(HubertModel, "from_pretrained", classmethod(watched))
    encoder = SpeechModelEncoder(**SpeechModelEncoder.architecture_of(tmp_path))
    encoder.load_pretrained(tmp_path)
    assert allowed == [False]


def test_adapters_in_a_folder_are_refused(tmp_path):
    """They name a base model, which transformers would look for."""
    hugging_face("hubert").save_pretrained(tmp_path)
    encoder = SpeechModelEncoder(**SpeechModelEncoder.architecture_of(tmp_path))
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/model"}')
    with pytest.raises(ValueError, match=r"holds adapters \(adapter_config\.json\); merge them"):
        encoder.load_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 24}, "no speech encoder"),
        ({"model_type": "nothing-of-that-name"}, "'nothing-of-that-name' is no speech encoder"),
        ({"model_type": "hubert", "hidden_size": 15}, "cannot be built"),
        ({"hidden_size": 16}, "None is no speech encoder"),
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
