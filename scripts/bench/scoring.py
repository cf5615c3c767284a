"""Scoring against the straightforward way (`--plain`): full-size AMSDF, and AASIST.

    python scripts/bench/scoring.py                    # about 5 minutes on two cores
    python scripts/bench/scoring.py --only aasist      # half a minute

Weights are random: time does not depend on them. For AASIST the straightforward way is that of the
official code, which also computes a norm and an activation that nothing reads.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from _paired import Pairs, compare, flags, peak_memory, report
from torch import Tensor, nn

from amsdf.blocks import ResidualBlock
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, describe_precision, score_batch

SAMPLES = 64_600
#: The default of `amsdf eval`.
BATCH = 16


def clips(batch: int) -> Tensor:
    """Noise (B, S) of the length that AASIST and AMSDF hear."""
    return 0.1 * torch.randn(batch, SAMPLES, generator=torch.Generator().manual_seed(0))


def scoring(what: str, detector: Detector, batch: int, settings: ScoreSettings, runs: int) -> Pairs:
    """The straightforward way against `settings`, and how far the scores are apart."""
    waveform, scores = clips(batch), {}

    def run(name: str, how: ScoreSettings) -> None:
        scores[name] = np.array(score_batch(detector, waveform, None, how)[0])

    plain = replace(settings, precision="fp32", plain=True)
    pairs = compare(what, lambda: run("plain", plain), lambda: run("ours", settings), runs)
    apart = np.abs(scores["plain"] - scores["ours"]).max()
    note = f"scores differ by at most {apart:.1g}, they spread by {scores['plain'].std():.1g}"
    if settings.precision == "auto":
        note += f"; {describe_precision(detector, settings)}"
    return replace(pairs, work=f"{batch} clips of 4.04 s", note=note)


def amsdf(runs: int) -> list[Pairs]:
    """All of AMSDF: XLS-R 300M, ACRNN, sinc-ResNet, graph head."""
    torch.manual_seed(0)
    detector = Detector.from_recipe("amsdf").eval()
    return [
        scoring("AMSDF, fp32", detector, 4, ScoreSettings(), runs),
        scoring("AMSDF, auto precision", detector, 4, ScoreSettings(precision="auto"), runs),
    ]


@contextmanager
def as_the_official_code() -> Iterator[None]:
    """While open, residual blocks also compute what the official code computes for nothing."""
    ours = ResidualBlock.forward

    def forward(block: ResidualBlock, image: Tensor, mask: Any = None) -> Tensor:
        if isinstance(getattr(block, "bn1", None), nn.BatchNorm2d):
            F.selu(block.bn1(image))
        return ours(block, image, mask)

    ResidualBlock.forward = forward  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        ResidualBlock.forward = ours  # type: ignore[method-assign]


def aasist(runs: int) -> list[Pairs]:
    """AASIST, with the peak memory of a process that scores a batch."""
    torch.manual_seed(0)
    detector = Detector.from_recipe("aasist").eval()
    with as_the_official_code():
        pairs = scoring("AASIST, fp32", detector, 4, ScoreSettings(), runs)
    peaks = [peak_memory_of(way) for way in ("plain", "ours")]
    memory = f"peak memory at batch {BATCH}: plain {peaks[0]} MiB, ours {peaks[1]} MiB"
    return [replace(pairs, note=f"{pairs.note}; {memory}")]


def peak_memory_of(way: str) -> int:
    """MiB that a process needs at most to score a batch, all of Python and torch included."""
    command = [sys.executable, __file__, "--peak", way]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_peak(way: str) -> None:
    """In a process of its own: score a batch, and say what memory it took."""
    detector = Detector.from_recipe("aasist").eval()
    score_batch(detector, clips(BATCH), None, ScoreSettings(plain=way == "plain"))
    print(peak_memory())


def main() -> None:
    """Both detectors, or one of them."""
    parser = flags(__doc__)
    parser.add_argument("--only", choices=["amsdf", "aasist"])
    parser.add_argument("--peak", choices=["plain", "ours"], help="print peak memory alone")
    arguments = parser.parse_args()
    if arguments.peak:
        print_peak(arguments.peak)
        return

    found = [] if arguments.only == "amsdf" else aasist(arguments.runs)
    found += [] if arguments.only == "aasist" else amsdf(arguments.runs)
    report(found, arguments.runs, arguments.json)


if __name__ == "__main__":
    main()
