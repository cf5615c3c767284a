#!/usr/bin/env python3
"""The numerical tests as older processors compute: `scripts/test_on_other_processors.py`.

Older instructions and another number of threads take sums in another order. A tolerance that is
too narrow passes on the processor of its author and fails on others. `--short` runs the tests
marked `any_processor` under the settings that differ most; `make test` does so.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Each names what a processor is not to use: for torch's own loops, for oneDNN (convolutions and
#: recurrent layers), for MKL (products of matrices).
WITHOUT_AVX512 = "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2"
OLDEST = "ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE"
SETTINGS = (
    "",
    "ATEN_CPU_CAPABILITY=default",
    "ATEN_CPU_CAPABILITY=avx2",
    "ONEDNN_MAX_CPU_ISA=SSE41",
    "ONEDNN_MAX_CPU_ISA=AVX2",
    WITHOUT_AVX512,
    OLDEST,
)
THREADS = (1, 2)
SHORT = ((WITHOUT_AVX512, 1), (OLDEST, 2))
ROOMS = ("encoders", "heads", "losses", "detector", "training", "metrics", "audio")
NUMERICAL = [
    *(f"tests/{room}" for room in ROOMS),
    *(f"tests/test_{name}.py" for name in ("conformance", "checks", "polarity", "products")),
]
VARIABLES = {word.partition("=")[0] for setting in SETTINGS for word in setting.split()}
ROW = "{:>6}  {:>6}  {:>7}  {:>7}  {}"


@dataclass(frozen=True)
class TestOutcome:
    """What one run of pytest says; `trouble` is its last lines where it could not run."""

    setting: str
    threads: int
    passed: int
    failed: list[str]
    seconds: float
    trouble: str

    def print(self) -> None:
        """One row of the table, and below it the names of what failed."""
        seconds, setting = f"{self.seconds:.0f}", self.setting or "nothing set"
        print(ROW.format(self.passed, len(self.failed), seconds, self.threads, setting))
        for line in [*self.failed, *self.trouble.splitlines()]:
            print(f"    {line}")
        sys.stdout.flush()


def run_tests(words: list[str], run: tuple[str, int]) -> TestOutcome:
    """Run pytest in a process of its own: libraries choose their instructions when they load."""
    setting, threads = run
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    environment |= dict(word.split("=") for word in setting.split())
    environment |= {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    where = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    quiet = ["-rfE", "--tb=no", "-p", "no:cacheprovider", "--disable-warnings"]

    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *where, *quiet, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started

    failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    passed = re.search(r"(\d+) passed", done.stdout)
    ran = done.returncode == 0 or (done.returncode == 1 and failed)
    trouble = "" if ran else f"pytest ended with status {done.returncode}:\n{_end(done)}"
    return TestOutcome(setting, threads, int(passed[1]) if passed else 0, failed, seconds, trouble)


def _end(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join((done.stdout + done.stderr).splitlines()[-5:])


def main() -> int:
    """Exit status 1 where anything failed."""
    parser = argparse.ArgumentParser(description="Run the numerical tests as older processors do.")
    parser.add_argument("tests", nargs="*", default=NUMERICAL, help="files and folders of tests")
    parser.add_argument("--short", action="store_true", help="few tests, two settings")
    args = parser.parse_args()
    runs = SHORT if args.short else [(name, count) for name in SETTINGS for count in THREADS]
    words = ["-m", "any_processor" if args.short else "not slow", *args.tests]

    print(ROW.format("passed", "failed", "seconds", "threads", "setting"), flush=True)
    outcomes = []
    with ThreadPoolExecutor(len(runs) if args.short else 1) as pool:
        for outcome in pool.map(partial(run_tests, words), runs):
            outcome.print()
            outcomes.append(outcome)
    return int(any(outcome.failed or outcome.trouble for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
