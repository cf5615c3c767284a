"""Whisper's audio encoder, from openai-whisper `.pt` files or Hugging Face folders.

Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023. As features
of a deepfake detector: Kawa et al., "Improved deepfake detection using Whisper features",
Interspeech 2023.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder as WhisperNetwork

from amsdf.audio.features import WHISPER_LOGMEL, Spectral
from amsdf.contracts import Encoder, mask_of
from amsdf.weights import load_safely, load_strictly, plain_state
from encoders._layers import LayerChoice, LayerName, recorded
from encoders._padding import lengthen
from encoders._speech_transformer import folder_weights, read_json

HOP = 320  # samples a node
SHORTEST = 400

Size = Literal["tiny", "base", "small", "medium", "large", "large-v2", "large-v3", "turbo"]
#: Width, heads, layers, mel bands. English-only models (`tiny.en` …) have the size of their name.
_SIZES = {
    "tiny": (384, 6, 4, 80),
    "base": (512, 8, 6, 80),
    "small": (768, 12, 12, 80),
    "medium": (1024, 16, 24, 80),
    "large": (1280, 20, 32, 80),
    "large-v2": (1280, 20, 32, 80),
    "large-v3": (1280, 20, 32, 128),
    "turbo": (1280, 20, 32, 128),
}
_LAYER = {
    "attn.query": "self_attn.q_proj",
    "attn.key": "self_attn.k_proj",
    "attn.value": "self_attn.v_proj",
    "attn.out": "self_attn.out_proj",
    "attn_ln": "self_attn_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "mlp_ln": "final_layer_norm",
}
#: Our arguments -> their names in an official file.
_DIMS = {
    "width": "n_audio_state",
    "heads": "n_audio_head",
    "layers_count": "n_audio_layer",
    "num_mels": "n_mels",
    "positions": "n_audio_ctx",
}
_WHOLE = {"positional_embedding": "embed_positions.weight", "ln_post": "layer_norm"}


class WhisperEncoder(Encoder):
    """Hidden states of Whisper's encoder, one node for 20 ms.

    Whisper was trained on windows of 30 s, with silence behind a shorter recording. `pad_to_30s`
    encodes that window and drops the nodes of the silence; without it only the clip is encoded, at
    the first positions, 11 times faster for 4 s. The log-mels are equal, the nodes are not, since
    all attend to the silence: with random weights they differ by 28 % of their norm (tiny) and 40 %
    (base), cosines 0.96 and 0.92. So train and score with the same setting.

    Recordings longer than the window are encoded window by window.

    Args:
        size: Published size, which decides the four numbers below unless they are given.
        width: Width of the transformer, and of a node.
        heads: Attention heads.
        layers_count: Transformer layers.
        num_mels: Mel bands of the input.
        positions: Nodes of a window; 1500 are 30 s.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        pad_to_30s: Encode the window that Whisper was trained on, however short the clip.
    """

    network: Any

    def __init__(
        self,
        *,
        size: Size = "tiny",
        width: int | None = None,
        heads: int | None = None,
        layers_count: int | None = None,
        num_mels: int | None = None,
        positions: int = 1500,
        layer: LayerName = "last",
        pad_to_30s: bool = False,
    ):
        super().__init__()
        if size not in get_args(Size):
            raise ValueError(f"size is {size!r}; it must be one of {', '.join(get_args(Size))}")
        known = _SIZES[size]
        config = WhisperConfig(
            d_model=width or known[0],
            encoder_attention_heads=heads or known[1],
            encoder_layers=layers_count or known[2],
            encoder_ffn_dim=4 * (width or known[0]),
            num_mel_bins=num_mels or known[3],
            max_source_positions=positions,
        )
        self.mel = Spectral(replace(WHISPER_LOGMEL, filters=config.num_mel_bins))
        self.network = WhisperNetwork(config)
        self.choice = LayerChoice(layer, config.encoder_layers)
        del self.network.layers[self.choice.needed :]
        self.dim = config.d_model
        self.layers = self.choice.stack
        self.window = positions * HOP
        self.pad_to_30s = pad_to_30s

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, L + 1, N, D) for `layer="all"`."""
        if lengths is None:
            lengths = torch.full_like(waveform[:, 0], waveform.shape[1], dtype=torch.long)
        lengths = lengths.to(waveform.device)
        parts = [
            self._encode(part, (lengths - index * self.window).clamp(0, self.window))
            for index, part in enumerate(waveform.split(self.window, dim=1))
        ]
        return torch.cat(parts, dim=-2)

    def _encode(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """One window (B, S) of clips of `lengths` (B,) samples -> its nodes."""
        waveform = lengthen(waveform, SHORTEST)
        count = int(_nodes(torch.tensor(waveform.shape[1])))
        if self.pad_to_30s:
            waveform = lengthen(waveform, self.window)
            lengths = torch.full_like(lengths, self.window)
        lengths = lengths.clamp(min=SHORTEST)
        mels = self.mel(waveform, lengths)  # (B, T, num_mels)
        with recorded(self.network.layers) as states:
            final = self._transform(mels, self.mel.counts(lengths), lengths)
        return self.choice(states, final)[..., :count, :]

    def _transform(self, mels: Tensor, frames: Tensor, lengths: Tensor) -> Tensor:
        """Log-mels (B, T, num_mels) with true counts -> final output (B, N, D)."""
        network = self.network
        real = mask_of(frames, mels.shape[1])[:, None]  # (B, 1, T)
        mels = mels.transpose(1, 2).to(network.conv1.weight.dtype) * real
        nodes = F.gelu(network.conv2(F.gelu(network.conv1(mels)) * real)).transpose(1, 2)
        nodes = nodes + network.embed_positions.weight[: nodes.shape[1]]
        mask = None
        if bool((frames < mels.shape[2]).any()):
            mask = mask_of(_nodes(lengths), nodes.shape[1])[:, None, None, :]  # (B, 1, 1, N)
        for layer in network.layers:
            nodes = layer(nodes, mask)
        return network.layer_norm(nodes)

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        rest = lengths % self.window
        tail = torch.where(rest > 0, _nodes(rest), 0)
        return lengths // self.window * (self.window // HOP) + tail

    def blocks(self) -> Sequence[nn.Module]:
        """Both convolutions, then each transformer layer."""
        return [self.network.conv1, self.network.conv2, *self.network.layers]

    @classmethod
    def architecture_of(cls, path: Path) -> dict[str, Any]:
        """Arguments that an official `.pt` file or a Hugging Face folder decides."""
        if path.is_dir():
            given = read_json(path / "config.json")
            if given.get("model_type") != "whisper":
                raise ValueError(
                    f"{path}: holds a {given.get('model_type')!r} model; use 'speech-model'"
                )
            config = WhisperConfig.from_dict(given)
            return {
                "width": config.d_model,
                "heads": config.encoder_attention_heads,
                "layers_count": config.encoder_layers,
                "num_mels": config.num_mel_bins,
                "positions": config.max_source_positions,
            }
        dims, _ = _read_official(path)
        return {ours: dims[theirs] for ours, theirs in _DIMS.items()}

    def load_pretrained(self, path: Path) -> None:
        """Read an official `.pt` file or a Hugging Face folder, strictly; the decoder is left."""
        if path.is_dir():
            renames = {r"^(model\.)?encoder\.": ""}
            state = folder_weights(path, WhisperNetwork(self.network.config), renames)
        else:
            state = to_transformers(_read_official(path)[1])
        load_strictly(self.network, self.choice.used(state, "layers."), path)


def _read_official(path: Path) -> tuple[Mapping[str, int], dict[str, Tensor]]:
    """Sizes and weights of an openai-whisper file."""
    checkpoint = load_safely(path)
    dims = checkpoint.get("dims") if isinstance(checkpoint, Mapping) else None
    if not isinstance(dims, Mapping) or not all(
        isinstance(dims.get(k), int) for k in _DIMS.values()
    ):
        raise ValueError(
            f"{path}: is no openai-whisper file: it has no 'dims' with {', '.join(_DIMS.values())}"
        )
    return dims, plain_state(checkpoint.get("model_state_dict"), path)


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """openai-whisper's names of the encoder's weights -> transformers'; the decoder is left out."""
    return {
        _renamed(key.removeprefix("encoder.")): tensor
        for key, tensor in state.items()
        if key.startswith("encoder.")
    }


def _renamed(key: str) -> str:
    layer = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", key)
    if layer:
        return f"layers.{layer[1]}.{_LAYER.get(layer[2], layer[2])}.{layer[3]}"
    name, _, kind = key.partition(".")
    return _WHOLE.get(key, f"{_WHOLE.get(name, name)}.{kind}")


def _nodes(lengths: Tensor) -> Tensor:
    """Nodes of clips within one window: half the mel frames, rounded up."""
    return (lengths.clamp(min=SHORTEST) // (HOP // 2) + 1) // 2
