"""What short commands cost: processor seconds of each, in a process of its own.

    python scripts/bench/start.py --json start.json

"network" is the time inside the detector's network, "beside it" the rest: imports, opening the
detector, reading, listening, words. "imported" names the large libraries that the command brought.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import soundfile
from _paired import flags, processor

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "amsdf/samples/one-voice/audio/ljspeech_02_hifigan.flac"
LARGE = (
    *("numpy", "polars", "pydantic", "av", "torch", "torch._dynamo", "transformers", "whisper"),
    *("numba", "scipy.stats", "scipy.optimize", "sklearn", "matplotlib", "accelerate"),
)
#: Runs a command and tells on the last line of standard error what it took inside the network.
TOLD = """
import sys, time
from amsdf.cli.main import main
spent = 0.0
if sys.argv[1] == "score" and "--help" not in sys.argv:
    from amsdf.cli.process import let_threads_sleep
    let_threads_sleep()
    from amsdf.detector.inference import scores as inference
    score_batch = inference.score_batch
    def timed(*given):
        global spent
        begin = time.process_time()
        scored = score_batch(*given)
        spent += time.process_time() - begin
        return scored
    inference.score_batch = timed
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print("\\n" + " ".join([str(spent), *sys.modules]), file=sys.stderr)
sys.exit(status)
"""


@dataclass(frozen=True)
class StartCost:
    """One command: its processor and wall-clock seconds, and what it imported."""

    words: str
    #: The most that it may take beside the network, in processor seconds.
    most: float
    processor: float = 0.0
    wall: float = 0.0
    network: float = 0.0
    imported: tuple[str, ...] = ()

    @property
    def beside(self) -> float:
        """Processor seconds without the network."""
        return self.processor - self.network


def measure(asked: StartCost, words: list[str], runs: int) -> StartCost:
    """Medians over `runs` processes."""
    found = [_run(words) for _ in range(runs)]
    spent, wall, network = (median(column) for column in zip(*(f for f, _ in found), strict=True))
    imported = tuple(name for name in LARGE if name in found[-1][1])
    return replace(asked, processor=spent, wall=wall, network=network, imported=imported)


def _run(words: list[str]) -> tuple[tuple[float, float, float], set[str]]:
    """Processor, wall-clock and network seconds of a command, and the modules it imported."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", TOLD, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {done.stderr[-500:]}")
    network, *modules = done.stderr.splitlines()[-1].split()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (spent, wall, float(network)), set(modules)


def two_seconds(folder: Path) -> Path:
    """A clip of 2 s."""
    sound, rate = soundfile.read(CLIP)
    soundfile.write(folder / "clip.wav", sound[: 2 * rate], rate)
    return folder / "clip.wav"


def main() -> None:
    """Measure all, print the table."""
    args = flags(__doc__).parse_args()
    asked = [
        *(StartCost(words, 0.3) for words in ("--help", "score --help", "report --help")),
        *(StartCost(words, 1.5) for words in ("plugins", "doctor", "corpora")),
        StartCost("score CLIP", 3.0),
    ]
    with tempfile.TemporaryDirectory() as folder:
        clip = str(two_seconds(Path(folder)))
        costs = [measure(c, c.words.replace("CLIP", clip).split(), args.runs) for c in asked]

    print(f"{processor()}; medians of {args.runs} runs, processor seconds\n")
    print("| command | at most | beside the network | network | wall clock | imported |")
    print("|---|---|---|---|---|---|")
    for cost in costs:
        figures = f"{cost.most} s | {cost.beside:.2f} s | {cost.network:.2f} s | {cost.wall:.2f} s"
        print(f"| `{cost.words}` | {figures} | {', '.join(cost.imported)} |")
    if args.json:
        found = {"processor": processor(), "runs": args.runs, "costs": [asdict(c) for c in costs]}
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
