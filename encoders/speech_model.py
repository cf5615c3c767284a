"""Any Hugging Face speech model that lies in a folder: WavLM, HuBERT, data2vec, MMS, w2v-BERT 2 …

`SpeechModelEncoder` is the text view of such a model, `EmotionModelEncoder` that of one fine-tuned
to recognise emotions: the same network, without the classifier on top.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from amsdf.contracts import mask_of
from encoders._kaldi_fbank import SHORTEST, KaldiFilterBank
from encoders._layers import LayerName
from encoders._padding import lengthen
from encoders._speech_transformer import SpeechTransformer, read_json, wants_normalized

#: What a folder without a feature extractor of its own adds to the variance.
TRANSFORMERS_EPS = 1e-7
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
        trust_remote_code: Run the model code that the folder brings along. Off unless you know
            whose it is.
    """

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        layer: LayerName = "last",
        normalize: bool = False,
        trust_remote_code: bool = False,
    ):
        model = _checked(_build(config or _SMALL, trust_remote_code))
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
        if "auto_map" in kept:
            kept["_name_or_path"] = str(path)  # where the code of `trust_remote_code` lies
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
        true = torch.full_like(waveform[:, 0], waveform.shape[1], dtype=torch.long)
        true = true if lengths is None else lengths.to(waveform.device)
        features = self.filter_bank(waveform, true).to(self.model.dtype)
        counts = self.filter_bank.counts(true)
        mask = None if lengths is None else mask_of(counts, features.shape[1]).long()
        return {"input_features": features, "attention_mask": mask}


class EmotionModelEncoder(SpeechModelEncoder):
    """Hidden states of a Hugging Face emotion recogniser, its classifier left out."""


def _build(config: dict[str, Any], trust_remote_code: bool) -> PreTrainedModel:
    """Random weights for a configuration; what would be random in training only is taken out."""
    settings = dict(config)
    model_type = settings.pop("model_type", None)
    own_code = settings.get("auto_map", {}).get("AutoModel")
    if own_code and trust_remote_code:
        return _build_own_code(settings, model_type)
    try:
        parsed = AutoConfig.for_model(model_type, **{**settings, **_CALM})
        # Its relative positions make fused attention round differently when gradients are on.
        attention = "eager" if model_type == "wav2vec2-bert" else None
        model = AutoModel.from_config(parsed, attn_implementation=attention)
    except (ValueError, KeyError) as error:
        remedy = (
            "it brings its own code: set trust_remote_code: true if you trust it"
            if own_code
            else str(error).strip().splitlines()[0]
        )
        raise ValueError(f"model type {model_type!r} cannot be built: {remedy}") from None
    return model


def _checked(model: PreTrainedModel) -> PreTrainedModel:
    layers = getattr(getattr(model, "encoder", None), "layers", None)
    if layers is None or not hasattr(model, "feature_projection"):
        raise ValueError(
            f"model type {model.config.model_type!r} is no speech encoder with transformer layers; "
            "for Whisper use the encoder 'whisper'"
        )
    return model


def _build_own_code(settings: dict[str, Any], model_type: str | None) -> PreTrainedModel:
    folder = settings.pop("_name_or_path", "")
    references = settings["auto_map"]
    try:
        config_class: Any = get_class_from_dynamic_module(references["AutoConfig"], folder)
        model_class: Any = get_class_from_dynamic_module(references["AutoModel"], folder)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"model type {model_type!r}: its code is not in {folder!r} ({type(error).__name__}); "
            "give the folder with its .py files"
        ) from None
    return model_class(config_class(**{**settings, **_CALM}))
