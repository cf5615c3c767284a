"""How cost grows: clips a second and peak memory by batch size, clip length, and number of views.

    python scripts/bench/growth.py --plot docs/growth.png    # about 5 minutes on two cores

Each measurement is a process of its own, because memory is only known of a whole process. The
detectors are real and small: AASIST-L by batch size and clip length (windows of 4.04 s), and light
spectral views before the graph-fusion head. Weights are random.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from _paired import flags, peak_memory, processor

from amsdf.config import Experiment, merge, read_recipe
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_waveforms

RATE = 16_000
LIGHT = ("lfcc", "mfcc", "logmel", "lfcc", "mfcc")
STEPS: dict[str, list[int]] = {
    "batch size": [1, 2, 4, 8, 16, 32, 64],
    "seconds of a recording": [1, 4, 15, 60, 240, 600],
    "views": [1, 2, 3, 4, 5],
}


@dataclass(frozen=True)
class Point:
    """One measurement."""

    grows: str
    value: int
    #: Seconds of sound that are scored in a second.
    rate: float
    #: MiB of the process, of which Python and torch alone take about 300.
    memory: int


def detector_of(grows: str, value: int) -> Detector:
    """Random weights; one view takes another head, because fusion wants two."""
    torch.manual_seed(0)
    if grows != "views":
        recipe = merge(read_recipe("aasist-l"), {"score": {"parts": "windows"}})
        return Detector.build(Experiment.parse(recipe)).eval()
    views = {f"view{place}": {"encoder": name} for place, name in enumerate(LIGHT[:value])}
    head = "graph-fusion" if value > 1 else "pool-linear"
    parts = {"name": "views", "views": views, "head": {"name": head}}
    return Detector.build(Experiment.parse(parts | {"loss": {"name": "oc-softmax"}})).eval()


def measure(grows: str, value: int) -> Point:
    """Score recordings for a few seconds."""
    detector = detector_of(grows, value)
    seconds = value if grows == "seconds of a recording" else 4
    batch = value if grows == "batch size" else 16
    noise = np.random.default_rng(0).normal(0, 0.1, seconds * RATE).astype(np.float32)
    recordings = [noise] * max(1, min(batch, 120 // seconds))

    settings = ScoreSettings(batch_size=batch)
    score_waveforms(detector, recordings[:1], settings)
    done, start = 0, time.perf_counter()
    while done == 0 or time.perf_counter() - start < 3:
        score_waveforms(detector, recordings, settings)
        done += seconds * len(recordings)
    rate = done / (time.perf_counter() - start)
    return Point(grows, value, rate, peak_memory())


def in_a_process(grows: str, value: int) -> Point:
    """`measure`, with memory of its own."""
    command = [sys.executable, __file__, "--one", grows, str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Point(**json.loads(done.stdout))


def draw(points: list[Point], file: str) -> None:
    """A column for each thing that grows: speed above, memory below."""
    figure, axes = plt.subplots(2, len(STEPS), figsize=(9, 5), sharex="col", layout="constrained")
    for column, grows in enumerate(STEPS):
        here = [point for point in points if point.grows == grows]
        values = [point.value for point in here]
        curves: list[list[float]] = [[p.rate for p in here], [p.memory for p in here]]
        for row, heights in enumerate(curves):
            axes[row, column].plot(values, heights, "o-")
            axes[row, column].set_ylim(0, 1.12 * max(heights))
            axes[row, column].grid(alpha=0.3)
        if grows != "views":
            axes[1, column].set_xscale("log", base=2)
        axes[1, column].set_xticks(values, [str(value) for value in values])
        axes[1, column].minorticks_off()
        axes[1, column].set_xlabel(grows)
    axes[0, 0].set_ylabel("seconds of sound a second")
    axes[1, 0].set_ylabel("peak memory (MiB)")
    figure.savefig(file, dpi=90)


def main() -> None:
    """Measure all, print a table, draw."""
    parser = flags(__doc__)
    parser.add_argument("--plot", metavar="FILE", help="also draw")
    parser.add_argument("--one", nargs=2, help="measure one point alone")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(asdict(measure(arguments.one[0], int(arguments.one[1])))))
        return

    points = [in_a_process(grows, value) for grows, values in STEPS.items() for value in values]
    print(f"{processor()}; torch {torch.__version__}\n")
    print("| grows | value | seconds of sound a second | peak memory (MiB) |\n|---|---|---|---|")
    for point in points:
        print(f"| {point.grows} | {point.value} | {point.rate:.0f} | {point.memory} |")
    if arguments.json:
        found = {"processor": processor(), "points": [asdict(point) for point in points]}
        Path(arguments.json).write_text(json.dumps(found, indent=1) + "\n")
    if arguments.plot:
        draw(points, arguments.plot)


if __name__ == "__main__":
    main()
