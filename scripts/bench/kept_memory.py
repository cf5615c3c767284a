"""How much a training step gains from keeping freed memory.

python scripts/bench/kept_memory.py
"""

import subprocess
import sys

STEP = """
import sys, time, torch
from amsdf.config import Experiment, merge, read_recipe
from amsdf.detector.detector import Detector
from amsdf.cli.process import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
detector = Detector.build(
    Experiment.parse(merge(read_recipe("aasist-l"), {"clip": {"samples": 32000}}))
).train()
wave, labels = torch.randn(16, 32000), torch.tensor([0, 1] * 8)
times = []
for _ in range(4):
    start = time.perf_counter()
    detector.loss(detector(wave), labels).backward()
    times.append(time.perf_counter() - start)
print(min(times[1:]))
"""


def seconds(how: str) -> float:
    """The quickest of three steps, in a process of its own."""
    command = [sys.executable, "-c", STEP, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    plain, kept = seconds("plain"), seconds("keep")
    print(f"a step of aasist-l, 16 clips of 2 s: plain / keeping memory = {plain / kept:.2f}")
