"""Exported detectors beside torch: parity, size and processor time of one clip of four seconds.

    python scripts/bench/export.py --json export.json
    python scripts/bench/export.py starter aasist

Networks have the sizes of their defaults and random weights, but for the starter. Times are the
processor time of one thread, the median of pairs taken in turn; above 1 onnxruntime is quicker.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch

from amsdf.config import Experiment
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_batch
from amsdf.scoring.judging.judge import Judge, load
from amsdf.serving.export.exporting import export

_SAMPLES, _PAIRS = 64_000, 7
_LFCC = {"encoder": "lfcc"}
_WHISPER = {"encoder": "whisper", "width": 384, "heads": 6, "layers_count": 4}
#: Name -> views and head.
DETECTORS: dict[str, tuple[dict[str, Any], str]] = {
    "aasist": ({"audio": {"encoder": "sinc-resnet", "output": "bands"}}, "aasist"),
    "lfcc-resnet18": ({"audio": _LFCC}, "resnet18"),
    "lfcc-hm-conformer": ({"audio": _LFCC}, "hm-conformer"),
    "mfcc-meso": ({"audio": {"encoder": "mfcc"}, "text": {"encoder": "mfcc"}}, "meso-inception"),
    "logmel-pool": ({"audio": {"encoder": "logmel"}}, "pool-linear"),
    "whisper-statistics": ({"text": _WHISPER}, "statistics"),
    "quality-statistics": ({"audio": {"encoder": "speech-quality"}}, "statistics"),
    "whisper-ssl-aasist": ({"text": _WHISPER}, "ssl-aasist"),
    "acrnn-whisper-fusion": (
        {"emotion": {"encoder": "acrnn"}, "text": _WHISPER, "audio": {"encoder": "sinc-resnet"}},
        "graph-fusion",
    ),
}


@dataclass(frozen=True)
class Row:
    """One detector: differences, megabytes, milliseconds of a clip, and torch's share of them."""

    detector: str
    parity: float
    megabytes: float
    torch_ms: float
    onnx_ms: float
    ratio: float


def judge_called(name: str) -> Judge:
    """The starter, or a detector of random weights."""
    if name == "starter":
        return load(name, device="cpu")
    views, head = DETECTORS[name]
    given = {
        "name": name,
        "views": views,
        "head": {"name": head},
        "loss": {"name": "cross-entropy"},
        "clip": {"samples": _SAMPLES},
        "train": {"corpora": ["none"]},
        "dev": ["none"],
    }
    torch.manual_seed(0)
    return Judge(name, Detector.build(Experiment.parse(given)).eval())


def measure(name: str, folder: Path) -> Row:
    """Export it, then time both in turn."""
    judge = judge_called(name)
    made = export(judge, folder / f"{name}.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(made.path), options)
    clip = np.random.default_rng(0).standard_normal((1, _SAMPLES)).astype(np.float32) / 20

    pairs = [
        (
            _seconds(lambda: score_batch(judge.detector, torch.from_numpy(clip), None, _SETTINGS)),
            _seconds(lambda: session.run(None, {"waveform": clip})),
        )
        for _ in range(_PAIRS + 1)
    ][1:]
    ratio = median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (1000 * median(times) for times in zip(*pairs, strict=True))
    return Row(name, made.parity.score, made.megabytes, ours, theirs, ratio)


_SETTINGS = ScoreSettings()


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print a row for each detector."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = ["starter", *DETECTORS]
    parser.add_argument("detectors", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print("| detector | score differs | MB | torch ms | onnxruntime ms | times as quick |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        for name in args.detectors or known:
            row = measure(name, Path(folder))
            rows.append(asdict(row))
            print(
                f"| `{name}` | {row.parity:.0e} | {row.megabytes:.1f} | {row.torch_ms:.0f} | "
                f"{row.onnx_ms:.0f} | {row.ratio:.2f} |",
                flush=True,
            )
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
