"""`amsdf study`: train a grid of recipes, losses and seeds, try all on corpora, print the table."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from amsdf.data.corpora.corpus import open_corpus
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector.inference import ScoreSettings
from amsdf.detector.pretrained_views import architecture_of
from amsdf.evaluation.study import CellResult, Study, cells, read_study
from amsdf.evaluation.study_runs import score_cells, train_cells
from amsdf.files import make_folder, write_text
from amsdf.report.study_tables import runs_table, study_table
from amsdf.report.table import percent, to_csv, to_latex, to_markdown, to_text
from amsdf.scoring.scorer import summary_of
from amsdf.training.distributed import leave_process_group, on_main, this_process
from amsdf.training.plan import RunSettings


def run(args: Namespace) -> int:
    """All that is not done yet, and the table; status 1 when a run failed or clips were set aside.

    Several processes train each run together; then the first of them goes on alone.
    """
    study, roots = _named(read_study(Path(args.file)), args.data)
    out = Path(args.out or f"studies/{study.name}")
    grid = cells(study, architecture_of)
    manifests = [open_corpus(name, roots) for name in study.eval]
    on_main(lambda: make_folder(out))

    settings = RunSettings(
        workers=args.workers,
        progress=not args.quiet,
        trust_remote_code=args.trust_remote_code,
    )
    results = []
    for result in train_cells(grid, out, roots, settings):
        results.append(result)
        print(f"[{len(results)}/{len(grid)}] {result.cell.name}: {_say(result)}", flush=True)
    first = this_process().is_main_process
    leave_process_group()

    if first:
        return _evaluate(results, manifests, out, args)
    return 1 if any(result.problem for result in results) else 0


def _named(study: Study, data: Sequence[str]) -> tuple[Study, dict[str, Path]]:
    """The study with names instead of paths, and where these names are."""
    roots, changed = roots_here(data), {}
    for key in ("train", "dev", "eval"):
        changed[key], roots = name_references(getattr(study, key), roots)
    return study.model_copy(update=changed), roots


def _say(result: CellResult) -> str:
    return f"failed: {result.problem}" if result.problem else f"dev EER {percent(result.dev)} %"


def _evaluate(
    results: Sequence[CellResult], manifests: Sequence[Manifest], out: Path, args: Namespace
) -> int:
    """Scores, kept where they are of the same detector and corpus, and the tables."""
    settings = ScoreSettings(batch_size=32, workers=args.workers, progress=not args.quiet)
    outcomes = score_cells(results, manifests, out, settings, args.trust_remote_code)

    corpora = [manifest.name for manifest in manifests]
    table = study_table(results, corpora)
    for suffix, form in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
        write_text(out / f"table.{suffix}", form(table))
    write_text(out / "runs.csv", to_csv(runs_table(results, corpora)))

    print(f"\n{to_text(table)}")
    failures = [result for result in results if result.problem]
    for result in failures:
        print(f"failed: {result.cell.name}: {result.problem}")
    lines, status = summary_of(outcomes, out / "scores") if manifests else ([], 0)
    print("\n".join(lines))
    return status or int(bool(failures))
