"""What each of two processes does for `test_processes.py`: a few trainings, one after the other."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from toys import PLAIN, plan, toy_experiment, toy_manifest

from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.training.plan import Plan
from amsdf.training.processes import leave_process_group
from amsdf.training.selection import selection
from amsdf.training.selection.averaging import reestimate_norms
from amsdf.training.selection.validation import score_with_all_processes
from amsdf.training.trainer import train

SGD = {"optimizer": "sgd", "epochs": 2}
STILL = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1, "batch_size": 5}
NORMS = {"encoder": "sinc-resnet", "filters": 8, "channels": [4, 4, 4], "mask_filters": 0}
#: Trainings that must end at the weights of one process; 14 clips make the last batches uneven.
EXACT = {
    "uneven": {**PLAIN, "train": {**SGD, "batch_size": 5, "accumulate": 2}},
    "one-left": {**PLAIN, "train": {**SGD, "batch_size": 13}},
    "unfrozen": {
        **PLAIN,
        "views": {"text": {"freeze": True, "unfreeze_epoch": 1}},
        "train": {**SGD, "batch_size": 7},
    },
    "averaged": {**PLAIN, "train": {**SGD, "batch_size": 7, "average_best": 2}},
    "centroid": {**PLAIN, "loss": {"name": "acs"}, "train": STILL},
}
#: One step of all clips with batch norms: only the first one's mean must be that of one process.
STATISTICS = {
    "views": {"audio": NORMS, "text": None},
    "clip": {"train_crop": "start"},
    "train": {**STILL, "batch_size": 14},
}
#: One with batch norms, whose running statistics each process has of its own clips.
NORMED = {
    "views": {"audio": NORMS, "text": None},
    "train": {"epochs": 2, "batch_size": 5, "eval_batch_size": 1, "ema": 0.5},
}


def refusal(given: Plan) -> str:
    """What a training that cannot go on says."""
    try:
        train(toy_experiment(), given)
    except ValueError as error:
        return str(error)
    return "nothing"


def estimated(root: Path) -> list[int]:
    """Rows whose clips this process passes through the mean of the best weights."""
    rows: list[int] = []

    def watched(detector: Detector, batches: Iterable[Batch]) -> None:
        seen = list(batches)
        rows.extend(row for batch in seen for row in batch.rows)
        reestimate_norms(detector, seen)

    selection.reestimate_norms = watched
    settings = {"epochs": 1, "batch_size": 6, "average_best": 2}
    train(toy_experiment(**{**NORMED, "train": settings}), plan(root, "mean"))
    selection.reestimate_norms = reestimate_norms
    return rows


def run(root: Path) -> dict[str, object]:
    """All of it, and what this process saw."""
    for folder, changes in EXACT.items():
        train(toy_experiment(**changes), plan(root, folder))
    train(toy_experiment(**STATISTICS), plan(root, "statistics"))
    normed = train(toy_experiment(**NORMED), plan(root, "normed"))
    dev, torn = toy_manifest(root / "toy", "dev"), root / "torn"
    detector = Detector.from_pretrained(root / "normed/best")
    return {
        "steps": normed.step,
        "estimated": estimated(root),
        "scores": score_with_all_processes(detector, dev, 0).tolist(),
        "again": refusal(plan(root, "normed")),
        "train": refusal(plan(root, "torn-train", train=toy_manifest(torn, "train"))),
        "dev": refusal(plan(root, "torn-dev", dev=[toy_manifest(torn, "dev")])),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    seen = run(Path(sys.argv[1]))
    (Path(sys.argv[1]) / f"seen-{os.environ['RANK']}.json").write_text(json.dumps(seen))
    leave_process_group()
