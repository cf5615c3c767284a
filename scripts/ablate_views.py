"""Which views earn their place? `python scripts/ablate_views.py CORPORA`

The frozen views of the recipe `small` are computed once for the training and dev sources of the
starter, each four nodes averaged to one. Every combination of views is then trained under two
heads, with the same budget and three seeds: graph fusion (of two or more), and the concatenation of
means and deviations. Printed is the EER of the dev sources together: mean over the seeds, lowest,
highest.
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm
from train_starter import DEV, TRAIN, clips_of, shares

from amsdf import registry
from amsdf.audio.cropping import fit
from amsdf.config.overrides import Overrides, build_experiment
from amsdf.contracts import ViewShape
from amsdf.detector.detector import Detector
from amsdf.detector.storage.pretrained import find_pretrained
from amsdf.detector.storage.pretrained_views import architecture_of
from amsdf.metrics import eer

HEADS: dict[str, dict[str, Any]] = {
    "graph-fusion": {"width": 32, "nodes": 24, "embedding_dim": 32, "dropout": 0.2},
    "pool-linear": {"embedding_dim": 32, "dropout": 0.2, "norm": True},
}
POOLED = 4
EPOCHS, BATCH, RATE = 6, 16, 1e-3


@dataclass(frozen=True)
class Encoded:
    """Views (T, N, D) or (T, L, N, D) of clips, with labels (T,) and sources (T,)."""

    views: dict[str, Tensor]
    labels: Tensor
    sources: np.ndarray

    def part(self, names: Sequence[str], rows: Tensor) -> dict[str, Tensor]:
        """Some views of some clips."""
        return {name: self.views[name][rows].float() for name in names}


@torch.inference_mode()
def encode(detector: Detector, corpora: Path, names: Sequence[str]) -> Encoded:
    """All clips of some corpora, as they are."""
    clip = detector.experiment.clip
    views: dict[str, list[Tensor]] = {name: [] for name in detector.experiment.views}
    labels, sources = [], []
    for corpus in tqdm(names, unit="corpus"):
        for waveform, row in clips_of(corpora, corpus, None, "clean"):
            fitted = torch.from_numpy(fit(waveform, clip, clip.samples))[None]
            for name, view in detector.views(fitted)[0].items():
                whole = view.shape[-2] // POOLED * POOLED
                nodes = view[..., :whole, :].unflatten(-2, (-1, POOLED)).mean(dim=-2)
                views[name].append(nodes[0].half())
            labels.append(row["label"])
            sources.append(corpus)
    stacked = {name: torch.stack(parts) for name, parts in views.items()}
    return Encoded(stacked, torch.tensor(labels), np.array(sources))


def dev_eer(
    names: Sequence[str], head_name: str, data: tuple[Encoded, Encoded], seed: int
) -> float:
    """Train one head on some views, and try it on dev: EER in percent."""
    training, dev = data
    torch.manual_seed(seed)
    shapes = {
        name: ViewShape(view.shape[-1], view.shape[1] if view.dim() == 4 else None)
        for name, view in training.views.items()
        if name in names
    }
    head = registry.build("heads", head_name, shapes, **HEADS[head_name])
    loss = registry.build("losses", "oc-softmax", head.embedding_dim)
    both = nn.ModuleList([head, loss])
    optimizer = torch.optim.Adam(both.parameters(), RATE)
    weights = torch.from_numpy(shares(training.labels.numpy(), training.sources))
    for _ in range(EPOCHS):
        drawn = torch.multinomial(weights, len(weights), replacement=True)
        for rows in drawn.split(BATCH):
            optimizer.zero_grad()
            loss(head(training.part(names, rows)), training.labels[rows]).backward()
            optimizer.step()

    both.eval()
    with torch.inference_mode():
        everything = torch.arange(len(dev.labels))
        scores = torch.cat(
            [loss.score(head(dev.part(names, rows))) for rows in everything.split(64)]
        )
    return 100 * eer(scores[dev.labels == 1].numpy(), scores[dev.labels == 0].numpy()).rate


def main(arguments: Sequence[str] | None = None) -> None:
    """A table of views and heads."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)

    experiment = build_experiment(Overrides(recipe="small"), architecture_of)
    detector = Detector.build(experiment).eval()
    detector.load_pretrained(find_pretrained)
    data = encode(detector, options.corpora, TRAIN), encode(detector, options.corpora, DEV)

    print("| views | head | dev EER % | lowest | highest |\n|---|---|---|---|---|")
    names = list(experiment.views)
    for count in range(1, len(names) + 1):
        for chosen in itertools.combinations(names, count):
            for head in HEADS if count > 1 else ["pool-linear"]:
                found = [dev_eer(chosen, head, data, seed) for seed in range(options.seeds)]
                numbers = f"{np.mean(found):.1f} | {min(found):.1f} | {max(found):.1f}"
                print(f"| {' + '.join(chosen)} | {head} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
