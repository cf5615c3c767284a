"""Any Hugging Face speech model in a folder: WavLM, HuBERT, data2vec, MMS, w2v-BERT 2 …

`SpeechModelEncoder` is the text view of such a model, `EmotionModelEncoder` that of one fine-tuned
to recognise emotions: the same network, without the classifier on top.
"""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from amsdf.audio.signal.padding import full_lengths
from amsdf.contracts import mask_of
from encoders._kaldi_fbank import SHORTEST, KaldiFilterBank
from encoders._layers import LayerName
from encoders._padding import lengthen
from encoders._speech_transformer import SpeechTransformer, read_json, wants_normalized

#: What a folder without a feature extractor of its own adds to the variance.
TRANSFORMERS_EPS = 1e-7
#: Models with the parts that `SpeechTransformer` needs. Others are refused before they are built:
#: some fetch a part of themselves by a name in their configuration.
MODEL_TYPES = (
    *("wav2vec2", "wav2vec2-bert", "wav2vec2-conformer", "hubert", "wavlm"),
    *("unispeech", "unispeech-sat", "data2vec-audio", "sew"),
)
#: Keys of a `config.json` that say nothing about the network.
_BOOKKEEPING = (
    "_name_or_path",
    "architectures",
    "dtype",
    "finetuning_task",
    "id2label",
    "label2id",
    "problem_type",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers_version",
)
#: Nothing random in training but dropout, and no adapter that shortens the output.
_CALM = {
    "apply_spec_augment": False,
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
    "add_adapter": False,
}
#: Without a folder: a wav2vec 2.0 small enough to train from scratch.
_SMALL = {
    "model_type": "wav2vec2",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "conv_dim": [32] * 7,
    "feat_extract_norm": "layer",
    "conv_bias": True,
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


class SpeechModelEncoder(SpeechTransformer):
    """Hidden states of a Hugging Face speech model.

    Args:
        config: The folder's `config.json` as plain values, from `architecture_of`. Without it, a
            small wav2vec 2.0.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        normalize: Zero mean and unit variance for each clip, as the folder's feature extractor
            says.
        code_folder: Model folder whose own code (`auto_map` in its `config.json`) is run. The
            caller's `trust_remote_code` gives it; an experiment cannot.
    """

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        layer: LayerName = "last",
        normalize: bool = False,
        code_folder: Path | None = None,
    ):
        model = _checked(_build(config or _SMALL, code_folder))
        filter_banks = getattr(model.config, "feature_projection_input_dim", None)
        super().__init__(model, layer, normalize and not filter_banks, TRANSFORMERS_EPS)
        self.filter_bank = KaldiFilterBank(filter_banks // 2) if filter_banks else None

    @classmethod
    def architecture_of(cls, path: Path) -> dict[str, Any]:
        """The folder's configuration, read as JSON: none of its code is run."""
        config = read_json(path / "config.json")
        if "model_type" not in config:
            raise ValueError(f"{path}: its config.json names no model_type")
        kept = {key: value for key, value in config.items() if key not in _BOOKKEEPING}
        return {"config": kept, "normalize": wants_normalized(path)}

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        if self.filter_bank is not None:
            return self.filter_bank.counts(lengths)
        return super().node_counts(lengths)

    def _inputs(self, waveform: Tensor, lengths: Tensor | None) -> dict[str, Tensor | None]:
        if self.filter_bank is None:
            return super()._inputs(waveform, lengths)
        waveform = lengthen(waveform, SHORTEST)
        true = full_lengths(waveform) if lengths is None else lengths.to(waveform.device)
        features = self.filter_bank(waveform, true).to(self.model.dtype)
        counts = self.filter_bank.counts(true)
        mask = None if lengths is None else mask_of(counts, features.shape[1]).long()
        return {"input_features": features, "attention_mask": mask}


class EmotionModelEncoder(SpeechModelEncoder):
    """Hidden states of a Hugging Face emotion recogniser, its classifier left out."""


def _build(config: dict[str, Any], code_folder: Path | None) -> PreTrainedModel:
    """Random weights for a configuration; what would be random in training only is taken out."""
    model_type = config.get("model_type")
    if config.get("auto_map"):
        if code_folder is None:
            raise ValueError(
                f"model type {model_type!r} brings its own code (auto_map in its config.json), "
                "which is not run; give --trust-remote-code if you trust the folder that "
                "'pretrained' names, and have it here"
            )
        return _build_own_code(config, code_folder)

    if model_type not in MODEL_TYPES:
        raise ValueError(
            f"model type {model_type!r} is no speech encoder with transformer layers, or not one "
            f"that is known here: {', '.join(MODEL_TYPES)}; for Whisper use the encoder 'whisper'"
        )
    # Nothing but sizes: other keys can name code on the internet, such as an attention kernel.
    sizes = {field.name for field in fields(CONFIG_MAPPING[model_type])}
    settings = {key: value for key, value in config.items() if key in sizes} | _CALM
    # Relative positions make fused attention round differently when gradients are on.
    attention = "eager" if model_type == "wav2vec2-bert" else None
    try:
        parsed = AutoConfig.for_model(model_type, **settings)
        return AutoModel.from_config(parsed, attn_implementation=attention)
    except (ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"model type {model_type!r} cannot be built: {reason}") from None


def _checked(model: PreTrainedModel) -> PreTrainedModel:
    layers = getattr(getattr(model, "encoder", None), "layers", None)
    if layers is None or not hasattr(model, "feature_projection"):
        raise ValueError(
            f"model type {model.config.model_type!r} is no speech encoder with transformer layers"
        )
    return model


def _build_own_code(config: dict[str, Any], folder: Path) -> PreTrainedModel:
    """Random weights of a class that the folder itself defines; this runs the folder's code."""
    config_class = _class_in(folder, config["auto_map"], "AutoConfig")
    model_class = _class_in(folder, config["auto_map"], "AutoModel")
    not_sizes = ("auto_map", "model_type")
    settings = {key: value for key, value in config.items() if key not in not_sizes}
    return model_class(config_class(**{**settings, **_CALM}))


def _class_in(folder: Path, references: Any, kind: str) -> Any:
    reference = references.get(kind) if isinstance(references, dict) else None
    # A longer reference names a repository on the internet.
    if not isinstance(reference, str) or not re.fullmatch(r"\w+\.\w+", reference):
        raise ValueError(f"{folder}: its auto_map has no {kind} of the form 'file.Class'")
    if not (folder / f"{reference.partition('.')[0]}.py").is_file():
        raise ValueError(
            f"{folder}: the code {reference!r} is not in it; give the folder with its .py files"
        )
    return get_class_from_dynamic_module(reference, folder, local_files_only=True)
