"""Mutation testing: plant one fault after the other in a copy of the tree, and see a test fail.

    python scripts/mutate.py [--only N] [-k WORD]

`faults.toml` lists the faults. Of each it names the tests that must fail; no others are run. A
fault is CAUGHT when one of them fails, MISSED when all pass, and STALE when the text that it
replaces is not there exactly once. The exit status is 1 when a fault is stale or fewer than 95 % of
them are caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("faults.toml")
CAUGHT, MISSED, STALE = "CAUGHT", "MISSED", "STALE"
#: Share of the faults that must be caught.
ENOUGH = 0.95
#: Modules that are imported by their own names, as `from AOC_loss import AOCloss`.
TOP_LEVEL = "losses/top_level"
PACKAGES = ("amsdf", "encoders", "heads", "losses")


@dataclass(frozen=True)
class Fault:
    """Text `before` of a file, what it becomes, and the tests (node ids) that must notice."""

    what: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def is_stale(self, root: Path) -> bool:
        """Whether `before` is not exactly once in its file, so that the fault cannot be planted."""
        path = root / self.file
        return not path.is_file() or path.read_text(encoding="utf-8").count(self.before) != 1


def read_faults(path: Path = TABLE) -> list[Fault]:
    """The faults in the order of the table."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["fault"]
    return [Fault(**{**row, "tests": tuple(row["tests"])}) for row in rows]


class Copy:
    """A copy of the tree, in which faults are planted and tests are run."""

    def __init__(self, folder: Path):
        self.root = folder / ROOT.name
        listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():  # a file that is deleted may still be listed
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        self._refuse_other_sources()

    def _refuse_other_sources(self) -> None:
        """The editable install comes later in the path than the copy: see that it is not taken."""
        script = f"import {', '.join(PACKAGES)}\nprint(*({', '.join(PACKAGES)}), sep='\\n')"
        found = self._python("-c", script)
        if found.stdout.count(str(self.root)) != len(PACKAGES):
            raise SystemExit(f"the tests would not import the copy:\n{found.stdout}{found.stderr}")

    def _python(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.root), str(self.root / TOP_LEVEL)])
        settings = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def failure(self, tests: Sequence[str]) -> str:
        """The first test that fails, '' if none does."""
        done = self._python("-m", "pytest", "-x", "--tb=no", "-rfE", *tests)
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return lines[0].split()[1] if lines else f"pytest itself: {done.stdout}{done.stderr}"

    def judge(self, fault: Fault) -> tuple[str, str]:
        """What becomes of a fault, and the test that caught it."""
        if fault.is_stale(self.root):
            return STALE, ""
        path = self.root / fault.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(fault.before, fault.after), encoding="utf-8")
        try:
            failed = self.failure(fault.tests)
        finally:
            path.write_text(text, encoding="utf-8")
        return (CAUGHT if failed else MISSED), failed


def main(words: Sequence[str] | None = None) -> int:
    """0: enough are caught and none is stale; else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", type=int, metavar="N", help="the fault of this number, from 1")
    parser.add_argument("-k", metavar="WORD", default="", help="faults whose words contain WORD")
    args = parser.parse_args(words)
    chosen = [
        (number, fault)
        for number, fault in enumerate(read_faults(), 1)
        if args.only in (None, number) and args.k.lower() in f"{fault.file} {fault.what}".lower()
    ]
    if not chosen:
        parser.error("no such fault; faults.toml lists them")

    with TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        tests = sorted({test for _, fault in chosen for test in fault.tests})
        print(f"{len(chosen)} faults; first their {len(tests)} tests, which must pass without any")
        if failed := copy.failure(tests):
            raise SystemExit(f"{failed} fails without a fault; mend that first")
        found: Counter[str] = Counter()
        for number, fault in chosen:
            started = time.monotonic()
            state, test = copy.judge(fault)
            found[state] += 1
            seconds = time.monotonic() - started
            print(f"{state:<7}{seconds:5.0f} s  {number:>2} {fault.file}: {fault.what}", flush=True)
            if test:
                print(f"{'':<17}{test}")

    print(", ".join(f"{count} {state.lower()}" for state, count in found.items()))
    enough = found[CAUGHT] >= ENOUGH * len(chosen)
    return 0 if enough and not found[STALE] else 1


if __name__ == "__main__":
    sys.exit(main())
