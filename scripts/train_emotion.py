"""Train the emotion view's network on acted emotions, as weights that a view can start from.

    python scripts/train_emotion.py MANIFEST OUT.pth

MANIFEST has a column `emotion` beside `path` and `speaker`, such as that of the Berlin database
(Burkhardt et al., "A database of German emotional speech", Interspeech 2005). OUT is read by
`--view emotion=acrnn --set views.emotion.pretrained=OUT`; what the network gets right of speakers
that it never heard is printed first, from a training without them.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from amsdf.audio.files.reading import read_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import read_manifest
from encoders.acrnn import ACRNNEncoder

#: A tenth of the published widths: 535 recordings train no more.
WIDTHS = {"channels": 24, "later_channels": 32, "hidden": 128, "lstm": 64}
SECONDS = 3
BATCH = 32
PEAK_RATE = 2e-3


class EmotionNetwork(nn.Module):
    """ACRNN with its classifier, whose names are those of the published file."""

    def __init__(self, emotions: int):
        super().__init__()
        self.encoder = ACRNNEncoder(**WIDTHS)
        self.fc1 = nn.Linear(self.encoder.dim, 64)
        self.fc2 = nn.Linear(64, emotions)

    def forward(self, features: Tensor) -> Tensor:
        """Log-mels with deltas (B, 3, frames, 40) -> logits (B, emotions)."""
        pooled = self.encoder.attend(self.encoder.steps(features)).sum(dim=1)
        return self.fc2(F.dropout(F.leaky_relu(self.fc1(pooled)), 0.3, self.training))

    def weights(self) -> dict[str, Tensor]:
        """Encoder and classifier side by side, as the published file has them."""
        state = self.state_dict()
        return {name.removeprefix("encoder."): tensor.half() for name, tensor in state.items()}


def train(waveforms: list[np.ndarray], labels: Tensor, epochs: int, seed: int) -> EmotionNetwork:
    """Waveforms, each (S,), and their emotions (T,) -> the trained network."""
    torch.manual_seed(seed)
    draws = np.random.default_rng(seed)
    network = EmotionNetwork(int(labels.max()) + 1).train()
    steps = epochs * math.ceil(len(waveforms) / BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps)

    for _ in tqdm(range(epochs), unit="epoch"):
        order = draws.permutation(len(waveforms))
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            clips = torch.stack([_random_part(waveforms[row], draws) for row in rows])
            logits = network(network.encoder.features(clips))
            loss = F.cross_entropy(logits, labels[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def _random_part(waveform: np.ndarray, draws: np.random.Generator) -> Tensor:
    """(S,) -> (3 s,), at another place and loudness each time; a short one is repeated."""
    samples = SECONDS * SAMPLE_RATE
    start = draws.integers(0, max(1, len(waveform) - samples + 1))
    gain = 10 ** (draws.uniform(-10, 10) / 20)
    return torch.from_numpy(np.resize(waveform[start:], samples) * np.float32(gain))


@torch.inference_mode()
def recognised(network: EmotionNetwork, waveforms: list[np.ndarray], labels: Tensor) -> float:
    """Share of waveforms, each (S,), whose emotion of `labels` (T,) is found."""
    clips = torch.stack(
        [torch.from_numpy(np.resize(wave, SECONDS * SAMPLE_RATE)) for wave in waveforms]
    )
    return float((network(network.encoder.features(clips)).argmax(1) == labels).float().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on two speakers left out, then train on all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    table = read_manifest(options.manifest).table
    waveforms = [read_audio(path) for path in table["path"]]
    emotions = sorted(table["emotion"].unique())
    labels = torch.tensor([emotions.index(emotion) for emotion in table["emotion"]])
    heard = np.array(table["speaker"])
    unheard = np.isin(heard, sorted(set(heard))[:2])

    network = train(
        [waveforms[row] for row in np.flatnonzero(~unheard)],
        labels[~unheard],
        options.epochs,
        options.seed,
    )
    tried = [waveforms[row] for row in np.flatnonzero(unheard)]
    share = recognised(network, tried, labels[unheard])
    print(f"{len(emotions)} emotions, two speakers left out: {100 * share:.1f} % recognised")

    weights = train(waveforms, labels, options.epochs, options.seed).weights()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
