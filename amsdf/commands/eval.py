"""`amsdf eval`: detectors x corpora -> score files -> the EER table."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from amsdf.breakdowns import breakdown
from amsdf.calibration import Calibration
from amsdf.data.corpora.corpus import open_corpus
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector import Detector
from amsdf.evaluation import Matrix, detector_of, matrix, warnings
from amsdf.files import write_text
from amsdf.opening import best_device, open_detector
from amsdf.report import write_report
from amsdf.runs import make_folder
from amsdf.scores import Scores, read_scores
from amsdf.scoring import (
    Outcome,
    ScoreSettings,
    describe,
    score_manifest,
    score_path,
    write_failed,
)
from amsdf.tables import breakdown_table, matrix_table, to_csv, to_text


def run(args: Namespace) -> int:
    """Score what is not scored yet, print the table; status 1 when clips were set aside."""
    names, roots = name_references(args.on, roots_here(args.data))
    manifests = [open_corpus(name, roots) for name in names or []]
    make_folder(Path(args.out))
    settings = ScoreSettings(
        args.batch_size, args.workers, args.precision, args.strict, not args.quiet
    )
    outcomes: list[Outcome] = []
    thresholds: dict[str, float] = {}
    for path in args.detector:
        name, detector = open_detector(path, args.bonafide_class)
        detector.to(best_device(args.device))
        thresholds |= dev_threshold(name, Path(path))
        outcomes += score_all((name, detector), manifests, Path(args.out), settings)
    tables = [read_scores(outcome.path) for outcome in outcomes if outcome.scored]
    if tables:
        show(matrix(tables, thresholds=thresholds), Path(args.out), args.by)
    if args.html and tables:
        print(f"report: {write_report(Path(args.out) / 'report', tables)}")
    return account(outcomes, Path(args.out))


def score_all(
    named: tuple[str, Detector], manifests: Sequence[Manifest], out: Path, settings: ScoreSettings
) -> list[Outcome]:
    """Score files of one detector; one that the same work has written is kept."""
    name, detector = named
    outcomes = []
    for manifest in manifests:
        folder = out / name
        kept = _kept(
            score_path(folder, manifest.name), describe(detector, name, manifest, settings)
        )
        if kept is not None and len(kept) == len(manifest):
            path = score_path(folder, manifest.name)
            outcomes.append(Outcome(path, manifest.name, len(manifest), len(kept), []))
        else:
            outcomes.append(score_manifest(detector, name, manifest, folder, settings))
    return outcomes


def _kept(path: Path, header: dict[str, str]) -> Scores | None:
    """The scores at `path` if detector, manifest and settings are the same."""
    if not path.is_file():
        return None
    try:
        scores = read_scores(path)
    except ValueError:
        return None  # not ours or cut off: it is written again
    same = {key: value for key, value in scores.header.items() if key in header} == header
    return scores if same else None


def dev_threshold(name: str, path: Path) -> dict[str, float]:
    """The EER threshold that the detector's dev sets chose, if it was calibrated."""
    calibration = read_calibration(path)
    return {} if calibration is None else {name: calibration.threshold("eer")}


def read_calibration(path: Path) -> Calibration | None:
    """`calibration.json` of a detector or of a run's best."""
    for folder in (path, path / "best"):
        if (folder / "calibration.json").is_file():
            return Calibration.from_json((folder / "calibration.json").read_text("utf-8"))
    return None


def show(results: Matrix, out: Path, columns: Sequence[str]) -> None:
    """Print and keep the tables."""
    table = matrix_table(results)
    print(to_text(table))
    write_text(out / "matrix.csv", to_csv(table))
    for column in columns:
        for scores in results.scores.values():
            if column in scores.table.columns:
                print(f"\n{detector_of(scores)} on {scores.name}, by {column}")
                print(to_text(breakdown_table(breakdown(scores, column), column)))
    for line in warnings(results):
        print(f"warning: {line}")


def account(outcomes: Sequence[Outcome], out: Path) -> int:
    """Say what was set aside and where it is listed; scored + failed = listed."""
    write_failed(out / "failed.tsv", outcomes)
    failed = sum(len(outcome.failed) for outcome in outcomes)
    listed = sum(outcome.listed for outcome in outcomes)
    scored = sum(outcome.scored for outcome in outcomes)
    print(f"{scored} scored + {failed} failed = {listed} listed; scores in {out}")
    if failed:
        print(f"what failed, with reasons: {out / 'failed.tsv'}")
    return 1 if failed else 0
