"""How clips a second and memory grow with processes: the same clips by one, and by two at once.

Each process has one thread and its own detector, as `torchrun --nproc_per_node 2 main.py eval`
gives it. Loading is not timed.

    python scripts/bench/growth_processes.py --detector starter --clips 64
"""

import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
import torch
from _paired import compare, flags, report

from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows
from amsdf.detector.storage.loading import open_detector

SECONDS = 4.04
#: Of a worker process: what it scores with, opened once.
_opened: list[tuple[Detector, Manifest]] = []


def made_up(folder: Path, count: int) -> Manifest:
    """Clips of noise as FLAC."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        sound = 0.1 * rng.standard_normal(round(SECONDS * SAMPLE_RATE))
        paths.append(str(folder / f"{number}.flac"))
        soundfile.write(paths[-1], sound, SAMPLE_RATE)
    columns = {"utt": paths, "path": paths, "label": [1] * count, "corpus": ["made-up"] * count}
    return Manifest("made-up", pl.DataFrame(columns))


def detector_of(name: str) -> Detector:
    """A detector by name or path, or the random weights of a recipe."""
    if name.startswith("recipe:"):
        return Detector.from_recipe(name.removeprefix("recipe:")).eval()
    return open_detector(name)[1]


def open_worker(name: str, manifest: Manifest) -> None:
    """What each process does before anything is timed."""
    torch.set_num_threads(1)
    _opened.append((detector_of(name), manifest))


def score_share(share: tuple[Sequence[int], int]) -> float:
    """Score some rows; returns the largest memory of this process so far in MiB."""
    rows, size = share
    for _ in score_rows(*_opened[0], rows, ScoreSettings(size, progress=False)):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Compare one process with two."""
    parser = flags(__doc__)
    parser.add_argument("--detector", default="starter", help="name, path or recipe:NAME")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = made_up(Path(folder), args.clips)
        rows = list(range(args.clips))
        context = multiprocessing.get_context("spawn")
        with context.Pool(2, open_worker, (args.detector, manifest)) as pool:

            def run(processes: int) -> list[float]:
                shares = [(rows[place::processes], args.batch_size) for place in range(processes)]
                return pool.map(score_share, shares, chunksize=1)

            found = compare(
                f"{args.detector}: 1 and 2 processes", lambda: run(1), lambda: run(2), args.runs
            )
            memory = run(2)
    work = f"{args.clips} clips of {SECONDS} s, one thread a process"
    note = f"{max(memory):.0f} MiB a process"
    report([replace(found, work=work, note=note)], args.runs, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
