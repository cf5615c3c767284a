"""Whisper's audio encoder, from openai-whisper `.pt` files or Hugging Face folders.

Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023. As features
of a deepfake detector: Kawa et al., "Improved deepfake detection using Whisper features",
Interspeech 2023.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.audio.signal.features import WHISPER_LOGMEL, Spectral
from amsdf.audio.signal.padding import Sizes, at_least, full_lengths
from amsdf.contracts import Encoder, mask_of
from amsdf.weights import load_strictly
from encoders import _whisper_files as files
from encoders._layers import LayerChoice, LayerName, recorded
from encoders._padding import lengthen
from encoders._whisper_network import WhisperNetwork

HOP = 320  # samples a node
SHORTEST = 400


class WhisperEncoder(Encoder):
    """Hidden states of Whisper's encoder, one node for 20 ms.

    Whisper was trained on windows of 30 s, with silence behind a shorter recording. `pad_to_30s`
    encodes that window and drops the nodes of the silence; without it only the clip is encoded, at
    the first positions, 11 times faster for 4 s. The log-mels are equal, the nodes are not, since
    all attend to the silence: with random weights they differ by 28 % of their norm (tiny) and 40 %
    (base), cosines 0.96 and 0.92. So train and score with the same setting.

    Recordings longer than the window are encoded window by window.

    With `states: decoder` the nodes are the decoder's states over the transcript that Whisper
    writes, one for a token: the only view of what is said and not of how it sounds. It always
    encodes the whole window, since transcripts of less are poor, so it takes as long for 4 s as for
    30 s. A transcript of fewer than `tokens` tokens holds its last state.

    Args:
        size: A model of openai-whisper's list, such as `tiny`, `small.en` or `turbo`. It decides
            the numbers below that are not given.
        width: Width of the transformer, and of a node.
        heads: Attention heads.
        layers_count: Transformer layers of the encoder.
        num_mels: Mel bands of the input.
        positions: Nodes of a window; 1500 are 30 s.
        text_layers: Transformer layers of the decoder.
        vocabulary: Tokens that the decoder knows; Whisper's own are 51864 (English), 51865 and
            51866.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        pad_to_30s: Encode the window that Whisper was trained on, however short the clip.
        states: Nodes of the sound (`encoder`) or of the transcript (`decoder`).
        tokens: Nodes of a window with `states: decoder`.
    """

    #: The decoder, with `states: decoder`.
    transcriber: Any

    def __init__(
        self,
        *,
        size: str = "tiny",
        width: int | None = None,
        heads: int | None = None,
        layers_count: int | None = None,
        num_mels: int | None = None,
        positions: int | None = None,
        text_layers: int | None = None,
        vocabulary: int | None = None,
        layer: LayerName = "last",
        pad_to_30s: bool = False,
        states: Literal["encoder", "decoder"] = "encoder",
        tokens: int = 32,
    ):
        super().__init__()
        known = files.dimensions(size)
        dims = replace(
            known,
            n_mels=num_mels or known.n_mels,
            n_audio_ctx=positions or known.n_audio_ctx,
            n_audio_state=width or known.n_audio_state,
            n_audio_head=heads or known.n_audio_head,
            n_audio_layer=layers_count or known.n_audio_layer,
            n_vocab=vocabulary or known.n_vocab,
            n_text_state=width or known.n_text_state,
            n_text_head=heads or known.n_text_head,
            n_text_layer=text_layers or known.n_text_layer,
        )
        # whisper.log_mel_spectrogram takes the loudest level of a batch: clips would mix.
        self.mel = Spectral(replace(WHISPER_LOGMEL, filters=dims.n_mels))
        self.network = WhisperNetwork(dims)
        self.transcriber = None
        if states == "decoder":  # it brings openai-whisper, which the encoder does without
            transcript = import_module("encoders._whisper_transcript")
            self.transcriber = transcript.Transcriber(dims, tokens)
        depth = dims.n_audio_layer if states == "encoder" else dims.n_text_layer
        self.choice = LayerChoice(layer, depth)
        self._leave_out_layers()
        self.dim = dims.n_audio_state
        self.layers = self.choice.stack
        self.window = dims.n_audio_ctx * HOP
        self.pad_to_30s = pad_to_30s or states == "decoder"

    def _leave_out_layers(self) -> None:
        """Layers above the chosen one are not computed; those that only write text do not learn."""
        if self.transcriber is None:
            del self.network.layers[self.choice.needed :]
        elif isinstance(self.choice.layer, int):
            for part in self.transcriber.decoder.blocks[self.choice.needed :]:
                part.requires_grad_(False)
            self.transcriber.decoder.ln.requires_grad_(False)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, L + 1, N, D) for `layer="all"`."""
        whole = lengths is None
        lengths = full_lengths(waveform) if lengths is None else lengths.to(waveform.device)
        parts = [
            self._encode(part, (lengths - index * self.window).clamp(0, self.window), whole)
            for index, part in enumerate(waveform.split(self.window, dim=1))
        ]
        return torch.cat(parts, dim=-2)

    def _encode(self, waveform: Tensor, lengths: Tensor, whole: bool) -> Tensor:
        """One window (B, S) of clips of `lengths` (B,) samples -> its nodes."""
        waveform = lengthen(waveform, SHORTEST)
        count = _nodes(waveform.shape[1])
        if self.pad_to_30s:
            waveform = lengthen(waveform, self.window)
            lengths = torch.full_like(lengths, self.window)
        lengths = lengths.clamp(min=SHORTEST)
        mels = self.mel(waveform, lengths)  # (B, T, num_mels)
        with recorded(self.network.layers) as states:
            final = self._transform(mels, self.mel.counts(lengths), None if whole else lengths)
        if self.transcriber is not None:
            return self.choice(*self.transcriber(final))
        return self.choice(states, final)[..., :count, :]

    def _transform(self, mels: Tensor, frames: Tensor, lengths: Tensor | None) -> Tensor:
        """Log-mels (B, T, num_mels) with true counts -> final output (B, N, D)."""
        network = self.network
        real = mask_of(frames, mels.shape[1])[:, None]  # (B, 1, T)
        mels = mels.transpose(1, 2).to(network.conv1.weight.dtype) * real
        nodes = F.gelu(network.conv2(F.gelu(network.conv1(mels)) * real)).transpose(1, 2)
        nodes = nodes + network.embed_positions.weight[: nodes.shape[1]]
        mask = None
        if lengths is not None and bool((frames < mels.shape[2]).any()):
            mask = mask_of(_nodes(lengths), nodes.shape[1])[:, None, None, :]  # (B, 1, 1, N)
        for layer in network.layers:
            nodes = layer(nodes, mask)
        return network.layer_norm(nodes)

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        whole, rest = lengths // self.window, lengths % self.window
        if self.transcriber is not None:
            return (whole + (rest > 0)) * self.transcriber.tokens
        return whole * (self.window // HOP) + torch.where(rest > 0, _nodes(rest), 0)

    def blocks(self) -> Sequence[nn.Module]:
        """Both convolutions, each transformer layer; then token embedding and decoder layers."""
        heard = [self.network.conv1, self.network.conv2, *self.network.layers]
        if self.transcriber is None:
            return heard
        return [*heard, self.transcriber.decoder.token_embedding, *self.transcriber.decoder.blocks]

    @classmethod
    def architecture_of(cls, path: Path) -> dict[str, Any]:
        """Arguments that an official `.pt` file or a Hugging Face folder decides."""
        dims = files.dimensions_of(path)
        return {
            "width": dims.n_audio_state,
            "heads": dims.n_audio_head,
            "layers_count": dims.n_audio_layer,
            "num_mels": dims.n_mels,
            "positions": dims.n_audio_ctx,
            "text_layers": dims.n_text_layer,
            "vocabulary": dims.n_vocab,
        }

    @classmethod
    def published_url(cls, name: str) -> str | None:
        """Where a model of openai-whisper's list is published."""
        return files.published_url(name)

    @classmethod
    def download(cls, url: str) -> Path:
        """The official file, from openai-whisper's own cache or the network."""
        return files.download(url)

    @classmethod
    def from_published(
        cls, weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights under openai-whisper's names -> those of the encoder under ours, the others."""
        heard = {name: value for name, value in weights.items() if name.startswith("encoder.")}
        others = {name: value for name, value in weights.items() if name not in heard}
        renamed = files.to_transformers(
            {name.removeprefix("encoder."): value for name, value in heard.items()}
        )
        return {f"network.{name}": value for name, value in renamed.items()}, others

    def load_pretrained(self, path: Path) -> None:
        """Read an official `.pt` file or a Hugging Face folder, strictly; unused parts are left."""
        dims = self.network.dims
        heard = files.encoder_weights(path, dims)
        if self.transcriber is None:
            load_strictly(self.network, self.choice.used(heard, "layers."), path)
            return
        load_strictly(self.network, heard, path)
        load_strictly(self.transcriber.decoder, files.decoder_weights(path, dims), path)


def _nodes(lengths: Sizes) -> Sizes:
    """Nodes of clips within one window: half the mel frames, rounded up."""
    return (at_least(lengths, SHORTEST) // (HOP // 2) + 1) // 2
