"""What every benchmark here shares: paired runs, the processor's name, a table and JSON.

Two ways of doing one thing run in turn in one process, so that a busy machine slows both. What is
reported is the median of the ratios of the pairs.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch

_CPUINFO = Path("/proc/cpuinfo")
#: Processor features that decide which number format is quick.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


@dataclass(frozen=True)
class Pairs:
    """The same work in the plain way and in ours: seconds of each pair, the figure asked for."""

    what: str
    plain: list[float]
    ours: list[float]
    #: What each run of both does, to read the seconds by: "8 clips of 4.04 s".
    work: str = ""
    #: What else is known: largest change of a score, peak memory …
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times quicker ours is: the median over the pairs."""
        return median(plain / ours for plain, ours in zip(self.plain, self.ours, strict=True))


Work = Callable[[], object]


def seconds(work: Work, clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes."""
    start = clock()
    work()
    return clock() - start


def compare(
    what: str,
    plain: Work,
    ours: Work,
    runs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Pairs:
    """Time both in turn `runs` times, each once before that to warm up.

    `dataclasses.replace` adds what the work is and a note.
    """
    plain()
    ours()
    pairs = [(seconds(plain, clock), seconds(ours, clock)) for _ in range(runs)]
    return Pairs(what, [one for one, _ in pairs], [other for _, other in pairs])


def processor() -> str:
    """Name and features of the processor, cores and threads in use."""
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.is_file() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    known = fields.get("flags", "").split()
    features = [feature for feature in FEATURES if feature in known]
    name = fields.get("model name", platform.processor() or platform.machine())
    return f"{name}, {torch.get_num_threads()} threads, {' '.join(features) or 'no AVX2'}"


def peak_memory() -> int:
    """MiB that this process has needed at most. `getrusage` counts what its parent had, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


def to_markdown(comparisons: Sequence[Pairs]) -> str:
    """A table with a row a comparison."""
    lines = ["| what | plain | ours | ratio | |", "|---|---|---|---|---|"]
    for each in comparisons:
        times = f"{median(each.plain):.3g} s | {median(each.ours):.3g} s"
        about = "; ".join(part for part in (each.work, each.note) if part)
        lines.append(f"| {each.what} | {times} | {each.ratio:.2f} × | {about} |")
    return "\n".join(lines)


def report(comparisons: Sequence[Pairs], runs: int, file: str | None) -> None:
    """Print the table with the processor above it; write the same as JSON to `file`."""
    print(f"{processor()}; torch {torch.__version__}; medians of {runs} paired runs\n")
    print(to_markdown(comparisons))
    if file:
        rows = [asdict(each) | {"ratio": each.ratio} for each in comparisons]
        found = {"processor": processor(), "torch": torch.__version__, "comparisons": rows}
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(json.dumps(found, indent=1) + "\n")


def flags(about: str | None) -> argparse.ArgumentParser:
    """The flags of every benchmark; a benchmark may add its own."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="paired runs (default 5)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    return parser
