"""Detectors x corpora -> score files -> results, in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amsdf.data.corpora.corpus import open_corpus
from amsdf.data.corpora.references import name_references
from amsdf.data.corpora.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector.hub import is_hub_id
from amsdf.detector.inference import ScoreSettings
from amsdf.detector.loading import best_device, find_detector, open_detector, published_files
from amsdf.detector.polarity import PolarityDecision
from amsdf.evaluation.asv_files import AsvFiles
from amsdf.evaluation.fusion import mean, vote
from amsdf.evaluation.results import Matrix, matrix
from amsdf.evaluation.seed_summary import as_seeds
from amsdf.files import make_folder
from amsdf.scoring.calibration import read_calibration, store_calibration
from amsdf.scoring.keys import asv_scores
from amsdf.scoring.score_files import Scores, corpus_of, read_scores
from amsdf.scoring.scorer import Outcome, score_all

#: Beside score files: which class of a published file was taken as bona fide, and why.
POLARITY = "polarity.json"
FUSIONS = {"mean": mean, "vote": vote}


@dataclass(frozen=True)
class EvaluationSettings:
    """How detectors are opened, score, and become results."""

    scoring: ScoreSettings = field(default_factory=ScoreSettings)
    #: `cpu`, `cuda`, …; without it, the best there is.
    device: str | None = None
    #: Which class of a published file is bona fide, where its authors do not say.
    bonafide_class: int | None = None
    #: Run the code of the model folders that detectors name.
    trust_remote_code: bool = False
    #: Fit a calibration in this way, on what is evaluated, and keep it with the detector.
    calibrate: str | None = None
    #: Which threshold of a detector's calibration decides.
    threshold: str | None = None
    #: All detectors as one more, by `mean` or `vote`.
    fuse: str | None = None
    #: Take the detectors as one recipe trained with several seeds: best, average and vote.
    as_seeds: bool = False
    asv: AsvFiles = field(default_factory=AsvFiles)


@dataclass(frozen=True)
class Evaluation:
    """What became of an evaluation; without any score there are no results."""

    results: Matrix | None
    outcomes: list[Outcome]
    detectors: list[str | Path]
    manifests: list[Manifest]
    #: What a reader should know about the results.
    notes: list[str]
    #: Of published files that leave it open, by name: the class that was taken as bona fide.
    bonafide_classes: Mapping[str, int]


def evaluate(
    detectors: Sequence[str | Path],
    on: Sequence[str],
    out: str | Path = "scores",
    data: Mapping[str, str | Path] | None = None,
    settings: EvaluationSettings | None = None,
) -> Evaluation:
    """Score every corpus with every detector, and compute the figures.

    Args:
        detectors: Run folders, detector folders or published files.
        on: Corpora: names, aliases, manifests or folders, with `/split` where one is meant.
        out: Folder of the score files. What the same work has scored before is kept.
        data: Names of corpora and where they are, in addition to `$AMSDF_DATA` and `data.yaml`.
        settings: The rest.

    Example:
        >>> import amsdf
        >>> found = amsdf.evaluate(["runs/mine"], on=["toy/eval"], data={"toy": "toy"})
        >>> found.results.cells["mine", "toy/eval"].num_bonafide
        4
    """
    settings = settings or EvaluationSettings()
    manifests = open_corpora(on, data)
    scored = score_detectors(detectors, manifests, Path(out), settings)
    return conclude(scored, settings)


def open_corpora(
    references: Sequence[str], data: Mapping[str, str | Path] | None = None
) -> list[Manifest]:
    """The manifests of some corpora; two of one name are refused."""
    given = [f"{name}={path}" for name, path in (data or {}).items()]
    names, roots = name_references(references, roots_here(given))
    manifests = [open_corpus(name, roots) for name in names or []]
    _refuse_twins("--on", [manifest.name for manifest in manifests])
    return manifests


def _refuse_twins(flag: str, names: Sequence[str]) -> None:
    """Refuse two of one name before the scores of one replace those of the other."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{flag}: two are called {name!r}; name each once, or rename a folder")


@dataclass(frozen=True)
class Scored:
    """Score files that are written, and what they were made from."""

    detectors: list[str | Path]
    manifests: list[Manifest]
    outcomes: list[Outcome]
    notes: list[str]
    bonafide_classes: dict[str, int]


def score_detectors(
    detectors: Sequence[str | Path],
    manifests: Sequence[Manifest],
    out: Path,
    settings: EvaluationSettings,
) -> Scored:
    """Write the score files; what can be refused is refused before the work.

    A folder of published files means all of them.
    """
    detectors = [file for path in detectors for file in published_files(path)]
    _refuse_twins("--detector", [find_detector(path)[0] for path in detectors])
    if settings.calibrate and settings.scoring.score_rule != "default":
        raise ValueError("--calibrate: fits our score only; leave out --score-rule")
    for path in detectors:
        place = find_detector(path)[1]
        if settings.calibrate and is_hub_id(str(path)):
            raise ValueError(
                f"--calibrate: {path} is on the hub; make a folder of it, with "
                "`Detector.from_pretrained(…).save_pretrained(FOLDER)`"
            )
        if settings.calibrate and not place.is_dir():
            raise ValueError(f"--calibrate: {place} is a file; import it first, to have a folder")
        if not settings.calibrate:
            read_calibration(place)  # one that cannot be read is an error at once

    make_folder(out)
    device = best_device(settings.device)
    scored = Scored(list(detectors), list(manifests), [], [], {})
    for path in detectors:
        name = find_detector(path)[0]
        decision = PolarityDecision(manifests, out / name / POLARITY, device)
        name, detector = open_detector(
            path, settings.bonafide_class, settings.trust_remote_code, decision
        )
        if decision.bonafide_class is not None:
            scored.bonafide_classes[name] = decision.bonafide_class
            scored.notes.append(f"{name}: {decision.note}")
        detector.to(device)
        scored.outcomes.extend(score_all((name, detector), manifests, out, settings.scoring))
    return scored


def conclude(scored: Scored, settings: EvaluationSettings) -> Evaluation:
    """Score files to results, calibrated where that was asked for."""
    if settings.calibrate:
        for path in scored.detectors:
            name, place = find_detector(path)
            own = [outcome for outcome in scored.outcomes if outcome.path.parent.name == name]
            store_calibration(place, settings.calibrate, _read(own))

    thresholds: dict[str, float] = {}
    notes: list[str] = []
    if settings.scoring.score_rule == "published":
        notes.append("the scores are the authors' own; no calibration and no threshold fits them")
    else:
        thresholds, notes = _thresholds(scored.detectors, settings.threshold)
    tables = _read(scored.outcomes)
    results = build_results(tables, settings, thresholds) if tables else None
    return Evaluation(
        results=results,
        outcomes=scored.outcomes,
        detectors=scored.detectors,
        manifests=scored.manifests,
        notes=[*scored.notes, *notes],
        bonafide_classes=scored.bonafide_classes,
    )


def _read(outcomes: Sequence[Outcome]) -> list[Scores]:
    return [read_scores(outcome.path) for outcome in outcomes if outcome.scored]


def _thresholds(
    detectors: Sequence[str | Path], which: str | None
) -> tuple[dict[str, float], list[str]]:
    """The threshold of each detector that was calibrated, by name; and what has no effect."""
    found, notes = {}, []
    for path in detectors:
        name, place = find_detector(path)
        calibration = read_calibration(place)
        if calibration is not None:
            found[name] = calibration.threshold(which or "eer")
        elif which:
            notes.append(f"--threshold {which} has no effect on {name}: it has no calibration")
    return found, notes


def build_results(
    tables: Sequence[Scores],
    settings: EvaluationSettings,
    thresholds: Mapping[str, float] | None = None,
) -> Matrix:
    """The matrix of score tables, with ASV scores and a fused detector where they are asked for."""
    fused = _fused(tables, settings.fuse) if settings.fuse else []
    tables = [*(as_seeds(tables) if settings.as_seeds else tables), *fused]
    asv = {corpus: asv_scores(table) for corpus, table in settings.asv.read(tables).items()}
    return matrix(tables, asv=asv, thresholds=thresholds)


def _fused(scores: Sequence[Scores], how: str) -> list[Scores]:
    """One more detector a corpus: all detectors together, joined by id."""
    corpora: dict[str, list[Scores]] = {}
    for table in scores:
        corpora.setdefault(corpus_of(table), []).append(table)
    return [FUSIONS[how](tables) for tables in corpora.values() if len(tables) > 1]
