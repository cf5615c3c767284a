"""A training epoch from kept views of frozen encoders, against one that encodes each clip.

    python scripts/bench/cached_epoch.py --only whisper --clips 48

Weights are random and clips are noise: neither decides how long an epoch takes. The caches are
filled before; how long that took is in the note. Validation is left out of both.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile
from _paired import Pairs, compare, flags, report, seconds

from amsdf.config import Experiment, merge, read_recipe
from amsdf.conventions import SAMPLE_RATE
from amsdf.data.augmentations import build_augmentations
from amsdf.data.manifest import Manifest, build_manifest
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.training.clips.batches import in_groups
from amsdf.training.distributed import open_accelerator
from amsdf.training.plan import Plan
from amsdf.training.trainer import Trainer

SECONDS = 5
FROZEN = {"pretrained": None, "freeze": True}
#: Name -> what is trained, the recipe it is made of, what is changed, and clips at least.
CASES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "whisper": (
        "Whisper tiny.en frozen, linear head",
        "demo",
        {
            "views": {"audio": None, "emotion": None, "text": {"encoder": "whisper", **FROZEN}},
            "head": {"name": "pool-linear"},
            "clip": {"samples": 64_600},
        },
        48,
    ),
    "ebm": (
        "EBM: all 25 layers of a frozen XLS-R 300M",
        "ebm",
        {"views": {"text": FROZEN}, "train": {"batch_size": 4, "bonafide_share": 0.25}},
        4,
    ),
    "amsdf-text": (
        "AMSDF, text view frozen, the others learn",
        "amsdf",
        {"views": {"text": FROZEN, "emotion": {"pretrained": None}}},
        4,
    ),
    "amsdf-all": (
        "AMSDF, all three views frozen",
        "amsdf",
        {"views": {"text": FROZEN, "emotion": FROZEN, "audio": {"freeze": True}}},
        4,
    ),
}


def noise_corpus(folder: Path, clips: int) -> Manifest:
    """Clips of noise, half of them called bona fide."""
    rng = np.random.default_rng(0)
    rows = []
    for clip in range(clips):
        path = folder / f"{clip}.flac"
        samples = 0.1 * rng.standard_normal(SECONDS * SAMPLE_RATE)
        soundfile.write(path, samples, SAMPLE_RATE)
        rows.append((str(path), ("bonafide", "spoof")[clip % 2]))
    return build_manifest("noise", pl.DataFrame(rows, schema=["path", "label"], orient="row"))


def epoch_of(
    experiment: Experiment, train: Manifest, out: Path, cache: ViewCache | None
) -> Callable[[], None]:
    """What runs the steps of the first epoch."""
    plan = Plan(
        folder=out,
        train=train,
        dev=[],
        find_pretrained=lambda _, name: Path(name),
        augment=build_augmentations(experiment.augment, {}),
        progress=False,
        cache=cache,
    )
    trainer = Trainer(experiment, plan, open_accelerator("fp32", (), out))
    trainer.detector.start_epoch(0)
    trainer.detector.train()

    def steps() -> None:
        for group in in_groups(trainer.data.loader(0), 1):
            trainer.stepper.step(group)

    return steps


def times(name: str, clips: int | None, runs: int) -> Pairs:
    """One case, uncached and cached."""
    what, recipe, changes, most = CASES[name]
    clips = clips or most
    fixed = {"train": {"draws": 1, "batch_size": min(12, clips), "patience": 0}}
    experiment = Experiment.parse(merge(merge(read_recipe(recipe), fixed), changes))
    with tempfile.TemporaryDirectory() as folder:
        train = noise_corpus(Path(folder), clips)
        cache = ViewCache(Path(folder, "cache"))
        plain = epoch_of(experiment, train, Path(folder, "plain"), None)
        made: list[Callable[[], None]] = []
        filling = seconds(
            lambda: made.append(epoch_of(experiment, train, Path(folder, "kept"), cache))
        )
        found = compare(what, plain, made[0], runs)
        size = sum(path.stat().st_size for path in Path(folder, "cache").rglob("*.safetensors"))
    note = f"filled in {filling:.1f} s, {size / 1e6:.0f} MB"
    return replace(found, work=f"{clips} clips of {SECONDS} s", note=note)


def main() -> None:
    """Time every case."""
    parser = flags(__doc__)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--clips", type=int, help="in an epoch (default: 48 or 4)")
    arguments = parser.parse_args()
    found = [times(name, arguments.clips, arguments.runs) for name in arguments.only]
    report(found, arguments.runs, arguments.json)


if __name__ == "__main__":
    main()
