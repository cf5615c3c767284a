"""What a lower number format changes: EER, and the largest change of a score.

    python scripts/bench/formats.py starter corpora/fsdd_vocoded

Weights are real here, unlike where time is measured. int8 and bf16 compute the same on processors
that have no quick products of them, only slowly.
"""

import argparse
from pathlib import Path

import numpy as np

from amsdf.data.manifest import Manifest, read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows
from amsdf.detector.storage.loading import open_detector
from amsdf.metrics import eer


def scores_of(detector: Detector, manifest: Manifest, precision: str) -> np.ndarray:
    """(T,) in the order of the manifest."""
    settings = ScoreSettings(batch_size=16, precision=precision)
    found = np.full(len(manifest), np.nan)
    for rows, scores, _ in score_rows(detector, manifest, range(len(manifest)), settings):
        found[rows] = scores
    return found


def main() -> None:
    """A line a format."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("detector", help="run or detector folder, published file, or starter")
    parser.add_argument("corpus", type=Path, help="manifest or folder with labels")
    arguments = parser.parse_args()
    _, detector = open_detector(arguments.detector)
    manifest = read_manifest(arguments.corpus)
    bonafide = (manifest.table["label"] == 1).to_numpy()

    exact = scores_of(detector, manifest, "fp32")
    for precision in ("fp32", "bf16", "int8"):
        scores = scores_of(detector, manifest, precision)
        rate = 100 * eer(scores[bonafide], scores[~bonafide]).rate
        change = np.abs(scores - exact).max()
        print(f"{precision}: EER {rate:.2f} %, largest change {change:.3g} of {exact.std():.3g}")


if __name__ == "__main__":
    main()
