"""Ten heads with three seeds each, from one cache of a frozen Whisper tiny.en.

    python scripts/bench/ten_heads.py --clips 2000

Weights are random and clips are noise: neither decides how long it takes.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from _paired import processor, seconds
from cached_epoch import CASES, epoch_of, noise_corpus

from amsdf.config import Experiment, merge, read_recipe
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.detector.detector import Detector

LOSSES = ("oc-softmax", "cross-entropy")
HEADS: tuple[dict[str, Any], ...] = (
    {"name": "pool-linear"},
    {"name": "pool-linear", "dropout": 0.2},
    {"name": "pool-linear", "dropout": 0.5},
    {"name": "pool-linear", "norm": True},
    {"name": "statistics"},
)
SEEDS = (1, 2, 3)


def main() -> None:
    """Train all of them, one after the other, and say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = trained(Path(folder), arguments.clips, arguments.epochs)
    print(processor())
    print(
        f"{len(times)} trainings of {arguments.epochs} epochs on {arguments.clips} clips: "
        f"{sum(times):.0f} s, of which the first, which fills the cache, {times[0]:.0f} s"
    )


def trained(folder: Path, clips: int, epochs: int) -> list[float]:
    """Seconds of each training; all have the same encoder, read from a file."""
    base = merge(read_recipe("demo"), CASES["whisper"][2])
    Detector.build(Experiment.parse(base)).save_pretrained(folder / "encoder")
    base["views"]["text"]["pretrained"] = str(folder / "encoder")
    train, cache = noise_corpus(folder, clips), ViewCache(folder / "cache")

    def run(head: dict[str, Any], loss: str, seed: int) -> None:
        changes = {"head": head, "loss": {"name": loss}, "seed": seed, "train": {"draws": 1}}
        out = folder / f"{HEADS.index(head)}-{loss}-{seed}"
        steps = epoch_of(Experiment.parse(merge(base, changes)), train, out, cache)
        for _ in range(epochs):
            steps()

    grid = [(head, loss, seed) for head in HEADS for loss in LOSSES for seed in SEEDS]
    return [seconds(partial(run, *each)) for each in grid]


if __name__ == "__main__":
    main()
