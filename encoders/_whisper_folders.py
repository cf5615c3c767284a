"""Whisper in folders of Hugging Face, read by transformers."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperDecoder, WhisperEncoder

from encoders._speech_transformer import folder_weights, read_json
from encoders._whisper_network import Dimensions

#: openai-whisper's names of the sizes -> transformers'.
_IN_CONFIG = {
    "n_mels": "num_mel_bins",
    "n_audio_ctx": "max_source_positions",
    "n_audio_state": "d_model",
    "n_audio_head": "encoder_attention_heads",
    "n_audio_layer": "encoder_layers",
    "n_vocab": "vocab_size",
    "n_text_ctx": "max_target_positions",
    "n_text_state": "d_model",
    "n_text_head": "decoder_attention_heads",
    "n_text_layer": "decoder_layers",
}


def dimensions_of(path: Path) -> Dimensions:
    """The sizes that a folder states."""
    given = read_json(path / "config.json")
    if given.get("model_type") != "whisper":
        raise ValueError(f"{path}: holds a {given.get('model_type')!r} model; use 'speech-model'")
    config = WhisperConfig.from_dict(given)
    return Dimensions(**{ours: getattr(config, theirs) for ours, theirs in _IN_CONFIG.items()})


def encoder_weights(path: Path, dims: Dimensions) -> dict[str, Tensor]:
    """The audio encoder's weights, under transformers' names."""
    return _weights(path, WhisperEncoder, dims, "encoder")


def decoder_weights(path: Path, dims: Dimensions) -> dict[str, Tensor]:
    """The text decoder's weights, under transformers' names."""
    return _weights(path, WhisperDecoder, dims, "decoder")


def _weights(path: Path, kind: Any, dims: Dimensions, part: str) -> dict[str, Tensor]:
    renames: Mapping[str, str] = {rf"^(model\.)?{part}\.": ""}
    return folder_weights(path, kind(_configuration(dims)), renames)


def _configuration(dims: Dimensions) -> WhisperConfig:
    return WhisperConfig(
        **{_IN_CONFIG[ours]: size for ours, size in asdict(dims).items()},
        encoder_ffn_dim=4 * dims.n_audio_state,
        decoder_ffn_dim=4 * dims.n_text_state,
    )
