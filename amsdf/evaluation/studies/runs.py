"""The runs of a study: each trained unless it is finished, then all tried on the same corpora."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.storage.checkpoint import EXPERIMENT
from amsdf.detector.storage.loading import best_device
from amsdf.evaluation.results import eer_of
from amsdf.evaluation.studies.search import Draw, Searcher
from amsdf.evaluation.studies.study import Cell, CellResult
from amsdf.files import write_text
from amsdf.scoring.calibration.calibrated_training import train_and_calibrate
from amsdf.scoring.outcomes import Outcome
from amsdf.scoring.score_files.table import read_scores
from amsdf.scoring.scorer import score_all
from amsdf.scoring.training_data import KnownCorpora
from amsdf.training.plan import Plan, RunSettings, open_plan
from amsdf.training.processes import on_main, this_process
from amsdf.training.runs.run_folder import data_of, refuse_other_data

#: A note in the folder of each finished run.
FINISHED = "finished.json"


def train_cells(
    grid: Sequence[Cell],
    out: Path,
    roots: Mapping[str, Path],
    settings: RunSettings,
    draw: Draw | None = None,
) -> Iterator[CellResult]:
    """Train each cell, or go on with it, unless it is finished; a failed one stops no other.

    Those of a draw that is given up are left.
    """
    # Of several processes, only a ValueError is known to stop all of them at once.
    alone = this_process().num_processes == 1
    failures = (ValueError, OSError, RuntimeError) if alone else (ValueError,)
    for cell in grid:
        folder = out / cell.name
        if draw and draw.given_up and not (folder / FINISHED).is_file():
            continue
        try:
            resume = (folder / EXPERIMENT).is_file()
            plan = open_plan(cell.experiment, folder, roots, replace(settings, resume=resume))
            plan = replace(plan, is_hopeless=draw.is_hopeless) if draw else plan
            yield CellResult(cell, **_trained(cell, plan, draw))
        except failures as error:
            yield CellResult(cell, problem=" ".join(str(error).split()))


def _trained(cell: Cell, plan: Plan, draw: Draw | None) -> dict[str, Any]:
    """Dev EER of a cell, and whether it was given up: from its note, else of its training."""
    note, data = plan.folder / FINISHED, data_of([plan.train, *plan.dev])
    if note.is_file():
        found = json.loads(note.read_text("utf-8"))
        if found["experiment"] == cell.experiment.digest():
            refuse_other_data(plan.folder, found.get("data", data), data)
            return {"dev": found["dev_eer"], "given_up": found.get("given_up", False)}

    progress = train_and_calibrate(cell.experiment, plan)
    dev = progress.best_eer if math.isfinite(progress.best_eer) else None
    given_up = bool(draw and draw.given_up)
    words = {"experiment": cell.experiment.digest(), "dev_eer": dev, "epoch": progress.best_epoch}
    words |= {"given_up": True} if given_up else {}
    on_main(lambda: write_text(note, json.dumps({**words, "data": data})))
    return {"dev": dev, "given_up": given_up}


def search_cells(
    searcher: Searcher,
    grid_of: Callable[..., Sequence[Cell]],
    out: Path,
    roots: Mapping[str, Path],
    settings: RunSettings,
) -> Iterator[CellResult]:
    """Train the cells of every draw: of those that an earlier search left, then of new ones.

    Args:
        searcher: Proposes the draws.
        grid_of: Takes a `draw` and gives its cells.
        out: The folder of the study.
        roots: Names of corpora and where they are.
        settings: How runs are carried out.
    """
    if this_process().num_processes > 1:
        raise ValueError("a search draws in one process; start it without torchrun or accelerate")
    known: dict[str, Draw] = {}
    for draw, is_new in searcher.draws():
        earlier = known.setdefault(draw.label, draw)
        if earlier is draw:
            for result in train_cells(
                _chosen_by_dev(grid_of(draw=draw)), out, roots, settings, draw
            ):
                draw.eers += [] if result.dev is None else [result.dev]
                yield result
        draw.eers, draw.given_up = earlier.eers, earlier.given_up  # drawn again: nothing is new
        if is_new:
            searcher.tell(draw)


def _chosen_by_dev(grid: Sequence[Cell]) -> Sequence[Cell]:
    if not all(cell.experiment.dev for cell in grid):
        raise ValueError("a search chooses by dev EER: give the study dev corpora")
    return grid


def score_cells(
    results: Sequence[CellResult],
    manifests: Mapping[str, Manifest],
    out: Path,
    settings: ScoreSettings,
    trust_remote_code: bool = False,
) -> list[Outcome]:
    """Score its corpora with each finished cell, and fill in its EERs; what fails is noted."""
    outcomes: list[Outcome] = []
    for result in results:
        if result.problem or result.given_up:
            continue
        name = result.cell.name
        try:
            detector = Detector.from_pretrained(out / name / "best", trust_remote_code)
            detector.to(best_device(None))
            known = KnownCorpora.read(out / name / "best", detector.experiment)
            tried_on = [manifests[corpus] for corpus in result.cell.eval]
            scored = score_all((name, detector), tried_on, out / "scores", settings, known)
            for outcome in (outcome for outcome in scored if outcome.scored):
                result.eers[outcome.corpus] = eer_of(read_scores(outcome.path))
            outcomes += scored
        except (ValueError, OSError, RuntimeError) as error:
            result.problem = " ".join(str(error).split())
    return outcomes
