"""The emotion view of AMSDF: the speech emotion network ACRNN up to its attention.

3-D convolutional recurrent attention network of Chen et al. (IEEE SPL 25(10), 2018).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from amsdf.audio.signal.features import EMOTION_LOGMEL, Spectral
from amsdf.audio.signal.padding import full_lengths, repeat
from amsdf.contracts import Encoder
from amsdf.published_names import PublishedNames
from amsdf.weights import load_strictly, read_state_dict

#: Frames after the last one that its double delta needs.
LOOK_AHEAD = 4
#: Emotion classifier of the published file, which the view does not use.
CLASSIFIER = ("fc1", "fc2")


class ACRNNEncoder(Encoder):
    """Log-mel energies and deltas -> convolutions -> LSTM -> attention-weighted steps, not summed.

    It sees the first 3 seconds (`frames` of 10 ms); a shorter clip is repeated end to end, so every
    clip has `frames // 2` nodes. With the published weights, nodes are of the size of 1e-3.

    Args:
        frames: Frames taken from the beginning of a clip, even.
        channels: Channels of the first convolution.
        later_channels: Channels of the other five convolutions.
        hidden: Width of the linear layer.
        lstm: Width of each direction of the LSTM; nodes are twice as wide.
    """

    def __init__(
        self,
        *,
        frames: int = 300,
        channels: int = 128,
        later_channels: int = 256,
        hidden: int = 768,
        lstm: int = 128,
    ):
        super().__init__()
        if frames < 2 or frames % 2:
            raise ValueError(f"frames is {frames}; give an even number, two frames make one node")
        self.spectral = Spectral(EMOTION_LOGMEL)
        self.frames = frames
        self.dim = 2 * lstm
        num_bands = EMOTION_LOGMEL.filters // 4
        self.conv1 = _convolution(3, channels)
        self.conv2 = _convolution(channels, later_channels)
        self.conv3 = _convolution(later_channels, later_channels)
        self.conv4 = _convolution(later_channels, later_channels)
        self.conv5 = _convolution(later_channels, later_channels)
        self.conv6 = _convolution(later_channels, later_channels)
        self.linear1 = nn.Linear(num_bands * later_channels, hidden)
        self.bn = nn.BatchNorm1d(hidden)
        self.rnn = nn.LSTM(hidden, lstm, batch_first=True, bidirectional=True)
        self.a_fc1 = nn.Linear(self.dim, 1)
        self.a_fc2 = nn.Linear(1, 1)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, frames / 2, D)."""
        features = self.features(waveform, lengths)
        return self.attend(self.steps(features.to(self.linear1.weight.dtype)))

    def features(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> static, delta and double delta (B, 3, frames, 40)."""
        lengths = full_lengths(waveform) if lengths is None else lengths.to(waveform.device)
        definition = EMOTION_LOGMEL
        samples = (self.frames + LOOK_AHEAD - 1) * definition.hop + definition.window
        stacked = self.spectral(repeat(waveform, lengths, samples))[:, : self.frames]
        return rearrange(stacked, "b n (order mel) -> b order n mel", order=3)

    def steps(self, features: Tensor) -> Tensor:
        """(B, 3, frames, 40) -> (B, frames / 2, D), before attention."""
        maps = F.max_pool2d(F.leaky_relu(self.conv1(features)), (2, 4))
        for convolution in (self.conv2, self.conv3, self.conv4, self.conv5, self.conv6):
            maps = F.leaky_relu(convolution(maps))
        steps = rearrange(maps, "b channel n band -> b n (band channel)")
        hidden = self.bn(self.linear1(steps).transpose(1, 2)).transpose(1, 2)
        return self.rnn(F.leaky_relu(hidden))[0]

    def attend(self, steps: Tensor) -> Tensor:
        """Multiply each step by its share of attention, (B, N, D) -> (B, N, D)."""
        return steps * self.attention(steps)

    def attention(self, steps: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, 1), summing to one over the steps."""
        return self.a_fc2(torch.sigmoid(self.a_fc1(steps))).softmax(dim=1)

    def node_counts(self, lengths: Tensor) -> Tensor:
        """The same for every clip (B,): short ones are repeated."""
        return torch.full_like(lengths, self.frames // 2)

    def load_pretrained(self, path: Path) -> None:
        """Read the published `ser_acrnn.pth`, its emotion classifier left out."""
        weights, _ = self.from_published(read_state_dict(path))
        load_strictly(self, weights, str(path))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """The names are the same."""
        return PublishedNames({"": ""}, unused=CLASSIFIER)

    def blocks(self) -> Sequence[nn.Module]:
        """The layers with weights, from input to output."""
        return [module for module in self.children() if module is not self.spectral]


def _convolution(channels_in: int, channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, (5, 3), padding=(2, 1))
