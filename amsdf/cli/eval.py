"""`amsdf eval`: detectors x corpora -> score files -> the EER table."""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from amsdf.cli.calibrating import (
    dev_threshold,
    read_calibration,
    require_folder,
    store_calibration,
)
from amsdf.cli.show import results_of, show
from amsdf.data.corpora.corpus import open_corpus, split_reference
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference import Embedded, ScoreSettings, embed_manifest
from amsdf.detector.loading import best_device, find_detector, open_detector
from amsdf.evaluation.results import Matrix
from amsdf.files import make_folder
from amsdf.report.report import write_report
from amsdf.scoring.calibration import Calibration
from amsdf.scoring.score_files import Scores, read_scores
from amsdf.scoring.scorer import Outcome, score_manifests, write_failed

_NOTES = frozenset(("README", "LICENSE", "LICENCE"))


def run(args: Namespace) -> int:
    """Score what is not scored yet, print the table; status 1 when clips were set aside."""
    names, roots = name_references(_without_notes(args.on), roots_here(args.data))
    if args.as_published:
        names = [_as_published(name) for name in names or []]
    manifests = [open_corpus(name, roots) for name in names or []]
    _check_names("--on", [manifest.name for manifest in manifests])
    _check_names("--detector", [find_detector(path)[0] for path in args.detector])
    if args.calibrate:
        for path in args.detector:
            require_folder(find_detector(path)[1])
    make_folder(Path(args.out))
    settings = ScoreSettings(
        args.batch_size, args.workers, args.precision, args.strict, not args.quiet
    )
    outcomes: list[Outcome] = []
    thresholds = {} if args.calibrate else _thresholds(args)
    for path in args.detector:
        name, detector = open_detector(path, args.bonafide_class, args.trust_remote_code)
        detector.to(best_device(args.device))
        outcomes += score_all((name, detector), manifests, Path(args.out), settings)
    try:
        if args.calibrate:
            _calibrate(outcomes, args)
            thresholds = _thresholds(args)
        _show_all(outcomes, manifests, thresholds, args)
    finally:  # the scores are on disk; what failed must be too, whatever becomes of the tables
        status = account(outcomes, Path(args.out))
    return status


def _thresholds(args: Namespace) -> dict[str, float]:
    """Of each detector that has one; a calibration that cannot be read is an error at once."""
    found: dict[str, float] = {}
    for path in args.detector:
        found |= dev_threshold(find_detector(path)[0], Path(path), args.threshold)
    return found


def _calibrate(outcomes: Sequence[Outcome], args: Namespace) -> None:
    """Each detector on all of its own scores."""
    for path in args.detector:
        name, place = find_detector(path)
        own = [outcome for outcome in outcomes if outcome.path.parent.name == name]
        store_calibration(place, args.calibrate, _read(own))


def _show_all(
    outcomes: Sequence[Outcome],
    manifests: Sequence[Manifest],
    thresholds: Mapping[str, float],
    args: Namespace,
) -> None:
    tables = _read(outcomes)
    if not tables:
        return
    results = results_of(tables, args, thresholds)
    show(results, Path(args.out), args)
    if args.html:
        scored = {outcome.corpus for outcome in outcomes if outcome.scored}
        mapped = [m for m in manifests if m.name in scored and m.table["label"].count()]
        print(f"report: {write_page(results, args, mapped)}")


def _without_notes(references: Sequence[str]) -> list[str]:
    """What a shell pattern such as `corpora/*` catches beside corpora is named and left out."""
    notes = {ref for ref in references if Path(ref).is_file() and Path(ref).stem in _NOTES}
    for ref in sorted(notes):
        print(f"# {ref}: is no corpus, left out")
    return [ref for ref in references if ref not in notes] or list(references)


def _read(outcomes: Sequence[Outcome]) -> list[Scores]:
    return [read_scores(outcome.path) for outcome in outcomes if outcome.scored]


def _check_names(flag: str, names: Sequence[str]) -> None:
    """Refuse two of one name before the scores of one replace those of the other."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{flag}: two are called {name!r}; name each once, or rename a folder")


def _as_published(name: str) -> str:
    """AMSDF's own FakeAVCeleb set, which holds its dev clips; its name in the table says so."""
    corpus, split = split_reference(name)
    honest = corpus == "fakeavceleb" and split in (None, "eval")
    return "fakeavceleb/as-published" if honest else name


def write_page(results: Matrix, args: Namespace, manifests: Sequence[Manifest]) -> Path:
    """The HTML report, with embedding maps and calibration curves."""
    embeddings: dict[str, list[Embedded]] = {}
    calibrations: dict[str, Calibration] = {}
    for path in args.detector:
        name, detector = open_detector(path, args.bonafide_class, args.trust_remote_code)
        detector.to(best_device(args.device))
        embeddings[name] = _maps(name, detector, manifests, args)
        calibration = read_calibration(Path(path))
        calibrations |= {name: calibration} if calibration else {}
    about = {"command": "amsdf " + " ".join(sys.argv[1:])}
    return write_report(Path(args.out) / "report", results, embeddings, about, calibrations)


def _maps(
    name: str, detector: Detector, manifests: Sequence[Manifest], args: Namespace
) -> list[Embedded]:
    """What it was trained on, then the others; nothing, said aloud, where one cannot be read."""
    corpora = detector.experiment.train.corpora
    if not corpora:
        return []
    try:
        train = open_corpus(corpora[0], roots_here(args.data))
        others = [manifest for manifest in manifests if manifest.name != train.name]
        return [embed_manifest(detector, manifest) for manifest in (train, *others)]
    except ValueError as error:
        print(f"# no embedding maps of {name} against its training corpus: {error}")
        return []


def score_all(
    named: tuple[str, Detector], manifests: Sequence[Manifest], out: Path, settings: ScoreSettings
) -> list[Outcome]:
    """Score files of one detector in a folder of its name."""
    name, detector = named
    make_folder(out / name)
    return score_manifests(detector, name, manifests, out / name, settings)


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
