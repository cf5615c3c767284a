"""What a Ray cluster costs beside the work: the driver's processor time a batch, and the start.

The detector is tiny, so the driver is what there is to measure. `scaling.py` takes what this
prints.

    python scripts/bench/ray_overhead.py --batches 200
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from growth_processes import made_up

from amsdf.config import Experiment
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring.engines.ray_data import judge_units, open_ray
from amsdf.scoring.engines.work_units import manifest_units

BATCH = 16
TINY = {
    "name": "tiny",
    "views": {"audio": {"encoder": "lfcc", "coefficients": 4}},
    "head": {"name": "pool-linear"},
    "loss": {"name": "oc-softmax"},
    "train": {"corpora": ["none"]},
}


def main() -> int:
    """Score the same 16 clips again and again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", type=int, default=200)
    args = parser.parse_args()
    detector = Detector.build(Experiment.parse(TINY))
    started = time.monotonic()
    open_ray(None)
    print(f"cluster: {time.monotonic() - started:.1f} s")

    with tempfile.TemporaryDirectory() as folder:
        manifest = made_up(Path(folder), BATCH)
        units = manifest_units(manifest, list(range(BATCH)) * args.batches, BATCH)
        settings = ScoreSettings(BATCH, progress=False, engine="ray")
        started, used = time.monotonic(), time.process_time()
        first = 0.0
        for _ in judge_units(units, detector, settings):
            first = first or time.monotonic() - started
        driver = (time.process_time() - used) / len(units)
        whole = time.monotonic() - started
    print(f"--start {first:.1f}  # until the first scores")
    print(f"--driver {driver:.4f}  # {len(units)} batches of {BATCH} clips")
    print(f"{len(units) * BATCH / (whole - first):.0f} clips/s on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
