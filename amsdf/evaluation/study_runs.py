"""The runs of a study: each trained unless it is finished, then all tried on the same corpora."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from amsdf.data.manifest import Manifest
from amsdf.detector.checkpoint import EXPERIMENT
from amsdf.detector.detector import Detector
from amsdf.detector.inference import ScoreSettings
from amsdf.detector.loading import best_device
from amsdf.evaluation.results import eer_of
from amsdf.evaluation.study import Cell, CellResult
from amsdf.files import write_text
from amsdf.scoring.calibrated_training import train_and_calibrate
from amsdf.scoring.score_files import read_scores
from amsdf.scoring.scorer import Outcome, score_all
from amsdf.scoring.training_data import KnownCorpora
from amsdf.training.distributed import on_main, this_process
from amsdf.training.plan import Plan, RunSettings, open_plan
from amsdf.training.run_folder import data_of, refuse_other_data

#: A note in the folder of each finished run.
FINISHED = "finished.json"


def train_cells(
    grid: Sequence[Cell], out: Path, roots: Mapping[str, Path], settings: RunSettings
) -> Iterator[CellResult]:
    """Train each cell, or go on with it, unless it is finished; a failed one stops no other."""
    # Of several processes, only a ValueError is known to stop all of them at once.
    alone = this_process().num_processes == 1
    failures = (ValueError, OSError, RuntimeError) if alone else (ValueError,)
    for cell in grid:
        folder = out / cell.name
        try:
            resume = (folder / EXPERIMENT).is_file()
            plan = open_plan(cell.experiment, folder, roots, replace(settings, resume=resume))
            yield CellResult(cell, _dev_eer(cell, plan))
        except failures as error:
            yield CellResult(cell, problem=" ".join(str(error).split()))


def _dev_eer(cell: Cell, plan: Plan) -> float | None:
    """The dev EER of a cell: from its note where it is finished, else of its training."""
    note, data = plan.folder / FINISHED, data_of([plan.train, *plan.dev])
    if note.is_file():
        found = json.loads(note.read_text("utf-8"))
        if found["experiment"] == cell.experiment.digest():
            refuse_other_data(plan.folder, found.get("data", data), data)
            return found["dev_eer"]

    progress = train_and_calibrate(cell.experiment, plan)
    dev = progress.best_eer if math.isfinite(progress.best_eer) else None
    words = {"experiment": cell.experiment.digest(), "dev_eer": dev, "epoch": progress.best_epoch}
    on_main(lambda: write_text(note, json.dumps({**words, "data": data})))
    return dev


def score_cells(
    results: Sequence[CellResult],
    manifests: Sequence[Manifest],
    out: Path,
    settings: ScoreSettings,
    trust_remote_code: bool = False,
) -> list[Outcome]:
    """Score the corpora with each finished cell, and fill in its EERs; what fails is noted."""
    outcomes: list[Outcome] = []
    for result in results:
        if result.problem:
            continue
        name = result.cell.name
        try:
            detector = Detector.from_pretrained(out / name / "best", trust_remote_code)
            detector.to(best_device(None))
            known = KnownCorpora.read(out / name / "best", detector.experiment)
            scored = score_all((name, detector), manifests, out / "scores", settings, known)
            for outcome in (outcome for outcome in scored if outcome.scored):
                result.eers[outcome.corpus] = eer_of(read_scores(outcome.path))
            outcomes += scored
        except (ValueError, OSError, RuntimeError) as error:
            result.problem = " ".join(str(error).split())
    return outcomes
