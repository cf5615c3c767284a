"""`amsdf study`: train a grid of recipes, losses and seeds, try all on corpora, print the table."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from amsdf.cli.arguments.view_cache import cache_of
from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.corpora.finding.references import name_references
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.storage.pretrained_views import architecture_of
from amsdf.evaluation.studies.folds import Fold, write_folds
from amsdf.evaluation.studies.runs import score_cells, search_cells, train_cells
from amsdf.evaluation.studies.search import Searcher
from amsdf.evaluation.studies.study import CellResult, Study, cells, read_study
from amsdf.files import make_folder, write_text
from amsdf.report.study_tables import (
    best_on_dev,
    by_setting,
    differences_table,
    folds_table,
    runs_table,
    study_table,
)
from amsdf.report.table import Table, percent, to_csv, to_latex, to_markdown, to_text
from amsdf.scoring.outcomes import summary_of
from amsdf.training.plan import RunSettings
from amsdf.training.processes import leave_process_group, on_main, this_process


def run(args: Namespace) -> int:
    """All that is not done yet, and the tables; status 1 when a run failed or clips were set aside.

    Several processes train each run together; then the first of them goes on alone.
    """
    study, roots = _named(read_study(Path(args.file)), args.data)
    out = Path(args.out or f"studies/{study.name}")
    runs, total = _runs(study, roots, out, args)
    results = []
    for result in runs:
        results.append(result)
        print(f"[{len(results)}/{total}] {result.cell.name}: {_say(result)}", flush=True)
    first = this_process().is_main_process
    leave_process_group()

    if first:
        return _evaluate(results, study, roots, out, args)
    return 1 if any(result.problem for result in results) else 0


def _runs(
    study: Study, roots: dict[str, Path], out: Path, args: Namespace
) -> tuple[Iterator[CellResult], int]:
    """The runs as they end, and how many there are at most; adds the folds to the roots."""
    settings = RunSettings(
        workers=args.workers,
        progress=not args.quiet,
        trust_remote_code=args.trust_remote_code,
        cache=cache_of(args),
    )
    for name in study.eval:
        open_corpus(name, roots)  # what is missing is said before anything is trained
    folds: list[Fold] = []
    if study.folds:
        folds, places = write_folds(study.folds, study.train, study.dev, roots, out)
        roots.update(places)
    if study.search:
        on_main(lambda: make_folder(out))
        searcher = Searcher(study.search, out)
        grid_of = partial(cells, study, architecture_of, folds)
        per_draw = len(study.recipes) * max(1, len(study.losses)) * len(study.seeds)
        found = search_cells(searcher, grid_of, out, roots, settings)
        return found, study.search.trials * per_draw * max(1, len(folds))
    grid = cells(study, architecture_of, folds)
    on_main(lambda: make_folder(out))
    return train_cells(grid, out, roots, settings), len(grid)


def _named(study: Study, data: Sequence[str]) -> tuple[Study, dict[str, Path]]:
    """The study with names instead of paths, and where these names are."""
    roots, changed = roots_here(data), {}
    for key in ("train", "dev", "eval"):
        changed[key], roots = name_references(getattr(study, key), roots)
    return study.model_copy(update=changed), roots


def _say(result: CellResult) -> str:
    if result.problem:
        return f"failed: {result.problem}"
    given_up = ", given up" if result.given_up else ""
    return f"dev EER {percent(result.dev)} %{given_up}"


def _evaluate(
    results: Sequence[CellResult],
    study: Study,
    roots: Mapping[str, Path],
    out: Path,
    args: Namespace,
) -> int:
    """Scores, kept where they are of the same detector and corpus, and the tables."""
    settings = ScoreSettings(
        batch_size=32, workers=args.workers, progress=not args.quiet, cache=cache_of(args)
    )
    names = dict.fromkeys(name for result in results for name in result.cell.eval)
    manifests = {name: open_corpus(name, roots) for name in names}
    outcomes = score_cells(results, manifests, out, settings, args.trust_remote_code)

    corpora = [manifests[name].name for name in study.eval if name in manifests]
    shown = [_written(study_table(results, corpora), out / "table")]
    if study.folds:
        shown.append(_written(folds_table(results), out / "left-out"))
    if len(by_setting(results)) > 1 and manifests:
        shown.append(_written(differences_table(results, corpora), out / "differences"))
    if study.search:
        shown.append(best_on_dev(results))
    write_text(out / "runs.csv", to_csv(runs_table(results, corpora)))

    print("\n" + "\n".join(shown))
    failures = [result for result in results if result.problem]
    for result in failures:
        print(f"failed: {result.cell.name}: {result.problem}")
    lines, status = summary_of(outcomes, out / "scores") if manifests else ([], 0)
    print("\n".join(lines))
    return status or int(bool(failures))


def _written(table: Table, path: Path) -> str:
    """The table in three forms beside each other; as text, for the terminal."""
    for suffix, form in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
        write_text(path.with_name(f"{path.name}.{suffix}"), form(table))
    return to_text(table)
