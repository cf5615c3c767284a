"""How time and memory grow with the rows of a manifest: to open it, to train on it, to score it.

Each size is measured in a process of its own: to train and to score, a few batches are read by a
worker; `file` keeps made-up scores of all rows, and writes the score file. Memory is the most that
a process has held (VmHWM), without what it held before; what a worker shares with no process is
its own. `--plain` keeps paths, times and batches as lists of Python objects, as loaders usually do.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile
from _paired import processor

from amsdf.config import Experiment
from amsdf.data import dataset
from amsdf.data.dataset import TrainingTransform
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.data.places import Place
from amsdf.detector.detector import Detector
from amsdf.detector.inference import part_batches
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring import scorer
from amsdf.scoring.engines.row_scorer import RowScores
from amsdf.training.clips import batches as training

SIZES = (1_000, 10_000, 100_000, 1_000_000, 2_000_000)
#: What is read of each loader before memory is measured.
BATCHES, BATCH = 60, 16
FILES = 100
EXPERIMENT = {
    "views": {"audio": {"encoder": "sinc-resnet"}},
    "head": "aasist",
    "loss": "softmax",
    "clip": {"samples": 8000},
    "train": {"batch_size": BATCH, "eval_batch_size": BATCH},
}


class Listed(Sequence[Place]):
    """`Places` with a Python object for every path and time."""

    def __init__(self, manifest: Manifest):
        self.paths = manifest.table["path"]
        self.rows = self.paths.to_list()
        self.times = [manifest.seconds(name).to_list() for name in ("start", "end")]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Place:  # type: ignore[override]
        return self.rows[row], self.times[0][row], self.times[1][row]


def write_manifest(folder: Path, rows: int) -> Path:
    """A table of so many parts of a few files; returns where it is."""
    sound = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    for number in range(FILES):
        soundfile.write(folder / f"a_name_as_long_as_in_most_corpora_{number}.wav", sound, 16_000)
    numbers = pl.int_range(rows, eager=True).alias("number")
    table = numbers.to_frame().select(
        utt=pl.format("utterance_{}", "number"),
        path=pl.format("a_name_as_long_as_in_most_corpora_{}.wav", pl.col("number") % FILES),
        label=pl.when(pl.col("number") % 2 == 0).then(pl.lit("bonafide")).otherwise(pl.lit("fake")),
        start=pl.col("number") % 40 / 100,
        speaker=pl.format("speaker_{}", pl.col("number") % 1000),
    )
    table.write_parquet(folder / "manifest.parquet")
    return folder / "manifest.parquet"


def most(process: int | str) -> float:
    """Megabytes that a process has held at most."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def memory(process: int | str, *kinds: str) -> float:
    """Megabytes of some kinds that a process holds."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return sum(values[kind] for kind in kinds) / 1024


def loader(kind: str, manifest: Manifest, plain: bool) -> Iterator[Any]:
    """What trains or scores, with a worker."""
    experiment = Experiment.model_validate(EXPERIMENT)
    if kind == "score":
        rows = range(len(manifest))
        parts = part_batches.PartBatches(manifest, rows, experiment, BATCH)
        return iter(part_batches.part_loader(parts, 1))
    data = training.TrainingData(experiment, manifest, TrainingTransform(1), 1)
    if not plain:
        return iter(data.loader(0))
    clips = dataset.Clips(manifest, experiment.clip, TrainingTransform(1))
    return iter(dataset.clip_loader(clips, list(data.batches(0)), 1))


def made_up_scores(_: object, __: object, rows: Sequence[int], ___: object) -> RowScores:
    """Of each row, 64 at once, as a detector gives them."""
    for first in range(0, len(rows), 64):
        some = [int(row) for row in rows[first : first + 64]]
        yield some, [row / len(rows) for row in some], []


def write_score_file(manifest: Manifest, folder: Path) -> float:
    """Everything of scoring but the detector; how many seconds it took."""
    scorer.row_scorer = lambda settings: made_up_scores
    detector = Detector.from_recipe("aasist-l")
    settings = ScoreSettings(progress=False)
    start = time.perf_counter()
    scorer.score_all(("detector", detector), [manifest], folder, settings)
    return time.perf_counter() - start


def measure(path: Path, kind: str, plain: bool) -> dict[str, float]:
    """Of one size, in this process."""
    if plain:
        for module in (dataset, part_batches):
            setattr(module, "Places", Listed)  # noqa: B010
    before = memory("self", "Rss")
    start = time.perf_counter()
    manifest = read_manifest(path)
    opened = time.perf_counter()
    time.sleep(3)  # else a worker has a copy of what reading has freed and not yet given back
    if kind == "file":
        seconds = write_score_file(manifest, path.parent)
        return {
            "rows": len(manifest),
            "opened s": opened - start,
            "written s": seconds,
            "main MB": most("self") - before,
        }
    begin = time.perf_counter()
    batches = loader(kind, manifest, plain)
    next(batches)
    first = time.perf_counter()
    for _ in islice(batches, BATCHES):
        pass
    (worker,) = multiprocessing.active_children()
    return {
        "rows": len(manifest),
        "opened s": opened - start,
        "first batch s": first - begin,
        "main MB": most("self") - before,
        "worker MB": most(worker.pid or 0),
        "worker's own MB": memory(worker.pid or 0, "Private_Clean", "Private_Dirty"),
    }


def in_another_process(path: Path, kind: str, plain: bool) -> dict[str, float]:
    """`measure` where nothing has been measured before."""
    command = [sys.executable, __file__, "--one", str(path), "--kind", kind]
    ran = subprocess.run([*command, *["--plain"] * plain], capture_output=True, check=True)
    return dict(json.loads(ran.stdout))


def main() -> None:
    """Both loaders for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="sizes of manifests")
    parser.add_argument("--plain", action="store_true", help="with an object for each row")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=("train", "score", "file"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.kind, arguments.plain)))
        return

    found: dict[str, list[dict[str, float]]] = {"train": [], "score": [], "file": []}
    print(f"{processor()}\n")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = write_manifest(Path(folder), rows)
            for kind, figures in found.items():
                figures.append(in_another_process(path, kind, arguments.plain))
                shown = ", ".join(f"{name} {value:,.4g}" for name, value in figures[-1].items())
                print(f"{kind}: {shown}", flush=True)
    if arguments.json:
        text = json.dumps({"processor": processor(), "plain": arguments.plain, **found}, indent=1)
        Path(arguments.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
