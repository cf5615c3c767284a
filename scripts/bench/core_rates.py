"""Clips a second of one core: decoding alone, and scoring by some detectors, in processor time.

Processor time, because a busy machine lengthens only the time on the clock. `scaling.py` takes what
this prints.

    python scripts/bench/core_rates.py starter recipe:aasist recipe:amsdf
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from _paired import processor
from growth_processes import SECONDS, detector_of, made_up

from amsdf.audio.files.reading import read_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.inference.scores import ScoreSettings, score_waveforms


def rate(work: Callable[[], object], clips: int, runs: int) -> list[float]:
    """Clips a second of processor time of each run, after one to warm up."""
    work()
    rates = []
    for _ in range(runs):
        start = time.process_time()
        work()
        rates.append(clips / (time.process_time() - start))
    return rates


def main() -> int:
    """Measure, and print flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("detectors", nargs="+", help="name, path or recipe:NAME")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--precision", default="fp32")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{processor()}; {args.runs} runs of {args.clips} clips of {SECONDS} s")

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(path) for path in made_up(Path(folder), 32).table["path"]]
        found = rate(lambda: [read_audio(path) for path in paths], len(paths), args.runs)
    print(f"--decode {median(found):.4g}  # {min(found):.4g} to {max(found):.4g}")

    rng = np.random.default_rng(0)
    noise = rng.standard_normal((args.clips, round(SECONDS * SAMPLE_RATE))).astype(np.float32)
    settings = ScoreSettings(args.clips, precision=args.precision)
    for name in args.detectors:
        detector = detector_of(name)
        work = partial(score_waveforms, detector, list(0.1 * noise), settings)
        found = rate(work, args.clips, args.runs)
        spread = float(np.std(np.log(found)))
        short = name.removeprefix("recipe:")
        print(f"--rate {short}={median(found):.4g}  # {min(found):.4g} to {max(found):.4g}")
        print(f"#   standard deviation of log seconds: {spread:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
