"""`amsdf study`: train a grid of recipes, losses and seeds, try all on corpora, print the table."""

import json
import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from amsdf.cli.eval import account, score_all
from amsdf.cli.train import make_plan, train_and_calibrate
from amsdf.data.corpora.corpus import open_corpus
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector import pretrained
from amsdf.detector.checkpoint import EXPERIMENT
from amsdf.detector.detector import Detector
from amsdf.detector.inference import ScoreSettings
from amsdf.detector.loading import best_device
from amsdf.evaluation.results import evaluate
from amsdf.evaluation.study import (
    Cell,
    CellResult,
    Study,
    cells,
    read_study,
)
from amsdf.files import make_folder, write_text
from amsdf.report.study_tables import runs_table, study_table
from amsdf.report.tables import percent, to_csv, to_latex, to_markdown, to_text
from amsdf.scoring.score_files import read_scores
from amsdf.scoring.scorer import Outcome
from amsdf.training.distributed import leave, on_main, this_process
from amsdf.training.plan import Plan
from amsdf.training.run_folder import data_of, refuse_other_data

#: What a run of the study leaves beside its checkpoints when it is done.
FINISHED = "finished.json"


def run(args: Namespace) -> int:
    """All that is not done yet, and the table; status 1 when a run failed or clips were set aside.

    Several processes train each run together; then the first of them goes on alone.
    """
    study, roots = _named(read_study(Path(args.file)), args)
    out = Path(args.out or f"studies/{study.name}")
    grid = cells(study, pretrained.architecture_of)
    manifests = [open_corpus(name, roots) for name in study.eval]
    on_main(lambda: make_folder(out))
    results = []
    for place, cell in enumerate(grid, start=1):
        print(f"[{place}/{len(grid)}] {cell.name}", flush=True)
        results.append(_train(cell, out / cell.name, roots, args))
        print(f"  {_say(results[-1])}", flush=True)
    first = this_process().is_main_process
    leave()
    status = 1 if any(result.problem for result in results) else 0
    if first:
        status |= _evaluate(results, manifests, out, args)
    return status


def _named(study: Study, args: Namespace) -> tuple[Study, dict[str, Path]]:
    """The study with names instead of paths, and where these names lie."""
    roots, changed = roots_here(args.data), {}
    for key in ("train", "dev", "eval"):
        changed[key], roots = name_references(getattr(study, key), roots)
    return study.model_copy(update=changed), roots


def _train(cell: Cell, folder: Path, roots: Mapping[str, Path], args: Namespace) -> CellResult:
    """Train a cell, or go on with it, unless it is finished."""
    # Of several processes, only a ValueError is known to stop all of them at once.
    alone = this_process().num_processes == 1
    failures = (ValueError, OSError, RuntimeError) if alone else (ValueError,)
    try:
        given = Namespace(**{**vars(args), "resume": (folder / EXPERIMENT).is_file()})
        plan = make_plan(cell.experiment, folder, roots, given)
        return CellResult(cell, _dev_eer(cell, plan))
    except failures as error:
        return CellResult(cell, problem=" ".join(str(error).split()))


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


def _say(result: CellResult) -> str:
    return f"failed: {result.problem}" if result.problem else f"dev EER {percent(result.dev)} %"


def _evaluate(
    results: Sequence[CellResult], manifests: Sequence[Manifest], out: Path, args: Namespace
) -> int:
    """Scores, kept where they are of the same detector and corpus, and the tables."""
    outcomes: list[Outcome] = []
    for result in results:
        if not result.problem:
            outcomes += _score(result, manifests, out, args)
    corpora = [manifest.name for manifest in manifests]
    table = study_table(results, corpora)
    for suffix, form in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
        write_text(out / f"table.{suffix}", form(table))
    write_text(out / "runs.csv", to_csv(runs_table(results, corpora)))
    print(f"\n{to_text(table)}")
    for result in results:
        if result.problem:
            print(f"failed: {result.cell.name}: {result.problem}")
    status = account(outcomes, out / "scores") if manifests else 0
    return status or int(any(result.problem for result in results))


def _score(
    result: CellResult, manifests: Sequence[Manifest], out: Path, args: Namespace
) -> list[Outcome]:
    settings = ScoreSettings(batch_size=32, workers=args.workers, progress=not args.quiet)
    name = result.cell.name
    try:
        detector = Detector.from_pretrained(out / name / "best", args.trust_remote_code)
        detector.to(best_device(None))
        outcomes = score_all((name, detector), manifests, out / "scores", settings)
        for outcome in outcomes:
            if outcome.scored:
                scores = read_scores(outcome.path)
                result.eers[outcome.corpus] = evaluate(scores, rounds=0).eer
    except (ValueError, OSError, RuntimeError) as error:
        result.problem = " ".join(str(error).split())
        return []
    return outcomes
