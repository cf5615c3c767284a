"""The states of a speech quality model, as an audio view: what sounds wrong, and not what is said.

DistillMOS (Stahl and Gamper, "Distillation and pruning for scalable self-supervised
representation-based speech quality assessment", ICASSP 2025) learned from XLS-R how people rate
speech. Its file `distill_mos_v7.pt` is in the package `distillmos` (MIT), 4.1 million parameters.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.audio.signal.fourier import spectrum
from amsdf.audio.signal.padding import Sizes, at_least
from amsdf.contracts import Encoder
from amsdf.weights import load_strictly, read_state_dict
from encoders._padding import by_length

WINDOW, HOP = 320, 160
#: Samples that the positions of the model reach: 384 nodes of 20 ms.
LONGEST = 122_880
SHORTEST = 4_000
POSITIONS = 384
CHANNELS = (64, 64, 128, 256, 256, 256)
#: Frequencies that the convolutions leave, of 161.
BANDS = 4
HEADS = 8
#: Their beginnings of names -> ours; the parts that only rate quality are not in the list.
NAMES = {
    "cnn.cnn.": "front.",
    "transformer_pool_attn.norm_input.": "norms.0.",
    "transformer_pool_attn.transformer.norm.": "norms.1.",
    "transformer_pool_attn.transformer.position_encoding.": "",
    "transformer_pool_attn.transformer.linear_proj.": "projection.",
    "transformer_pool_attn.transformer.transformer_encoder.layers.": "transformer.",
}
UNUSED = ("transformer_pool_attn.norm_trans.", "transformer_pool_attn.pool.")


class SpeechQualityEncoder(Encoder):
    """Convolutions over the compressed complex spectrum, then a small transformer.

    One node for 20 ms. A recording of more than 7.68 s is encoded in parts of that length, since
    the model knows no later positions.

    Args:
        states: `joined`: the output of the convolutions and all states of the transformer, side by
            side; `front` or `last`: only the first or the last of these.
        width: Width of the transformer.
        layers_count: Transformer layers.
    """

    pe: Tensor
    window: Tensor

    def __init__(
        self,
        *,
        states: Literal["joined", "front", "last"] = "joined",
        width: int = 200,
        layers_count: int = 7,
    ):
        super().__init__()
        front_dim = CHANNELS[-1] * BANDS
        self.front = _convolutions()
        self.norms = nn.Sequential(nn.BatchNorm1d(front_dim), nn.BatchNorm1d(front_dim))
        self.projection = nn.Linear(front_dim, width)
        self.transformer = nn.ModuleList(
            nn.TransformerEncoderLayer(width, HEADS, 2 * width, batch_first=True)
            for _ in range(layers_count)
        )
        self.register_buffer("pe", torch.zeros(1, POSITIONS, width))
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.states = states
        self.dim = {
            "front": front_dim,
            "last": width,
            "joined": front_dim + (layers_count + 1) * width,
        }[states]

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D)."""
        if lengths is not None:
            nodes = int(self.node_counts(lengths.new_tensor(waveform.shape[1])))
            return by_length(self.forward, waveform, lengths, nodes)
        parts = [self._encode(part) for part in waveform.split(LONGEST, dim=1)]
        return torch.cat(parts, dim=1)

    def _encode(self, waveform: Tensor) -> Tensor:
        """(B, at most LONGEST) -> (B, N, D)."""
        count = _nodes(waveform.shape[1])
        if waveform.shape[1] < SHORTEST:
            waveform = waveform.repeat(1, -(-SHORTEST // waveform.shape[1]))
        heard = self.front(self._spectrum(waveform)).flatten(1, 2)  # (B, channels x bands, N)
        if self.states == "front":
            return heard.transpose(1, 2)[:, :count]

        state = self.projection(self.norms(heard).transpose(1, 2))
        state = state + self.pe[:, : state.shape[1]].to(state.dtype)
        states = [state]
        for layer in self.transformer:
            states.append(layer(states[-1]))
        if self.states == "last":
            return states[-1][:, :count]
        return torch.cat([heard.transpose(1, 2), *states], dim=2)[:, :count]

    def _spectrum(self, waveform: Tensor) -> Tensor:
        """(B, S) -> real and imaginary part (B, 2, 161, frames), magnitudes to the power of 0.3."""
        own = self.projection.weight.dtype
        clips = waveform.float()
        clips = clips / (clips.abs().amax(dim=1, keepdim=True) + 1e-8)
        around = (WINDOW - HOP) // 2
        clips = F.pad(clips[:, None], (around, around), mode="reflect")[:, 0]
        frames = clips.unfold(1, WINDOW, HOP) * self.window.float()
        real, imaginary = spectrum(frames, WINDOW)  # (B, frames, 161)
        magnitude = (real.square() + imaginary.square()).sqrt().clamp(min=1e-12)
        parts = torch.stack([real, imaginary], dim=1) * (magnitude**-0.7)[:, None]
        return parts.transpose(2, 3).to(own)

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        whole, rest = lengths // LONGEST, lengths % LONGEST
        return whole * POSITIONS + torch.where(rest > 0, _nodes(rest), 0)

    def blocks(self) -> Sequence[nn.Module]:
        """Each convolution, the projection, each transformer layer."""
        convolutions = [part for part in self.front if isinstance(part, nn.Conv2d)]
        return [*convolutions, self.projection, *self.transformer]

    def load_pretrained(self, path: Path) -> None:
        """Read `distill_mos_v7.pt`, strictly; what only rates quality is left out."""
        state = {}
        for name, tensor in read_state_dict(path).items():
            if not name.startswith(UNUSED):
                start = max((s for s in NAMES if name.startswith(s)), key=len, default="")
                state[NAMES.get(start, "") + name.removeprefix(start)] = tensor
        load_strictly(self, state, path)


def _nodes(lengths: Sizes) -> Sizes:
    """Nodes of clips of at most `LONGEST` samples, at least one."""
    return at_least((lengths // HOP + 1) // 2, 1)


def _convolutions() -> nn.Sequential:
    """(B, 2, 161, frames) -> (B, 256, 4, frames / 2): bands are halved, frames only at the end."""
    layers: list[nn.Module] = []
    before = 2
    for place, channels in enumerate(CHANNELS):
        stride = (1 if place == 0 else 2, 2 if place == len(CHANNELS) - 1 else 1)
        layers.append(nn.Conv2d(before, channels, 3, stride, padding=(0, 1)))
        layers.append(nn.LeakyReLU(0.1))
        before = channels
    return nn.Sequential(*layers)
