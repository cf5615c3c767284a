"""A GPU: clips a second and memory in each number format, and the share of its matrix rate.

    python scripts/bench/gpu.py            # a minute on an H100

Weights are random: time does not depend on them. The matrix rate is that of a product of 8192 by
8192 in bf16, measured in the same run; the operations of the text view are counted by torch.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from amsdf.config import merge, read_recipe
from amsdf.config.experiment import Experiment
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, describe_precision, score_batch

SAMPLES = 64_600
GIB = 1 << 30


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    """The median of some runs, each to its end on the GPU."""
    times = []
    for _ in range(runs + 2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return median(times[2:])


def matrix_rate() -> float:
    """Operations a second of a large product in bf16."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / seconds(lambda: left @ right)


def measured(what: str, clips: int, work: Callable[[], object], **more: Any) -> dict[str, Any]:
    """A row: what, clips a second, peak memory."""
    torch.cuda.reset_peak_memory_stats()
    taken = seconds(work)
    row = {"what": what, "clips_per_second": round(clips / taken), "ms": round(1e3 * taken, 1)}
    return row | {"peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 1)} | more


def noise(clips: int) -> torch.Tensor:
    """(B, S) on the GPU."""
    return 0.1 * torch.randn(clips, SAMPLES, device="cuda")


def operations(recipe: str, view: str) -> float:
    """Multiplications and additions of one clip in one view, counted without computing them."""
    encoder = Detector.from_recipe(recipe).encoder(view).eval().to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(torch.empty(2, SAMPLES, device="meta"))
    return counter.get_total_flops() / 2


def text_view(clips: int) -> list[dict[str, Any]]:
    """XLS-R 300M alone."""
    rate, each = matrix_rate(), operations("amsdf", "text")
    encoder = Detector.from_recipe("amsdf").encoder("text").eval().to("cuda")
    waveform, rows = noise(clips), []
    for precision in ("fp32", "bf16"):

        @torch.inference_mode()
        def run(lower: bool = precision == "bf16") -> None:
            with torch.autocast("cuda", torch.bfloat16, enabled=lower):
                encoder(waveform)

        row = measured(f"text view, {precision}", clips, run)
        share = each * row["clips_per_second"] / rate
        rows.append(row | {"share_of_matrix_rate": round(share, 3)})
    return rows


def scoring(recipe: str, clips: int) -> list[dict[str, Any]]:
    """A whole detector, as `amsdf eval` asks it."""
    torch.manual_seed(0)
    detector = Detector.from_recipe(recipe).eval().to("cuda")
    waveform, rows, exact = noise(clips), [], np.zeros(0)
    for precision in ("fp32", "bf16", "auto"):
        settings = ScoreSettings(precision=precision)
        scores = np.array(score_batch(detector, waveform, None, settings)[0])
        exact = scores if precision == "fp32" else exact
        more = {
            "change": float(np.abs(scores - exact).max()),
            "spread": float(exact.std()),
            "formats": describe_precision(detector, settings),
        }
        work = lambda how=settings: score_batch(detector, waveform, None, how)  # noqa: E731
        rows.append(measured(f"{recipe}, scoring, {precision}", clips, work, **more))
    return rows


def training(recipe: str, clips: int) -> list[dict[str, Any]]:
    """Forward, backward and step; nothing is frozen."""
    rows = []
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        torch.manual_seed(0)
        detector = (
            Detector.build(Experiment.parse(merge(read_recipe(recipe), {}))).train().to("cuda")
        )
        optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-6)
        waveform, labels = noise(clips), torch.arange(clips, device="cuda") % 2

        def step(
            lower: bool = precision != "fp32",
            kind: torch.dtype = kind,
            parts: Any = (detector, optimiser, waveform, labels),
        ) -> None:
            detector, optimiser, waveform, labels = parts
            optimiser.zero_grad()
            with torch.autocast("cuda", kind, enabled=lower):
                embeddings = detector(waveform)
            detector.loss(embeddings.float(), labels).backward()
            optimiser.step()

        rows.append(measured(f"{recipe}, training step, {precision}", clips, step))
    return rows


def main() -> int:
    """All of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu.py: torch sees no CUDA device here", file=sys.stderr)
        return 2

    rows = text_view(64) + scoring("amsdf", 64) + scoring("aasist", 64) + training("amsdf", 12)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
