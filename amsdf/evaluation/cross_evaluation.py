"""Detectors x corpora -> score files -> results, in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.corpora.finding.references import name_references
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.data.manifest import Manifest
from amsdf.detector.inference.precision import slowness
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.published.polarity import PolarityDecision
from amsdf.detector.storage.loading import (
    best_device,
    find_detector,
    open_detector,
    published_files,
)
from amsdf.evaluation.calibrations import (
    fit_calibration,
    keep_beside_scores,
    refuse_other_weights,
    refuse_storing,
    refuse_threshold,
    with_clips_of,
)
from amsdf.evaluation.matrix import Matrix, matrix
from amsdf.evaluation.results import ResultSettings
from amsdf.evaluation.speaker_verification.asv_files import AsvFiles
from amsdf.evaluation.systems.fusion import fuse_by_corpus
from amsdf.evaluation.systems.seed_summary import as_seeds
from amsdf.files import make_folder
from amsdf.scoring.calibration.calibration import Calibration, read_calibration, write_calibration
from amsdf.scoring.outcomes import Outcome
from amsdf.scoring.score_files.keys import asv_scores
from amsdf.scoring.score_files.table import Scores, read_scores
from amsdf.scoring.scorer import score_all
from amsdf.scoring.training_data import SEEN, KnownCorpora, overlap_of
from amsdf.training.processes import num_together, this_process

#: Beside score files: which class of a published file was taken as bona fide, and why.
POLARITY = "polarity.json"
#: Below the folder of the results, of which they are no part: scores that calibrations come from.
CALIBRATION_SCORES = "calibration"


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
    #: Corpora that a calibration is fitted on; without any, that of the detector is used.
    calibrate_on: Sequence[str] = ()
    #: How it is fitted: `logistic` or `isotonic`.
    calibrate: str = "logistic"
    #: Keep that calibration with the detector, instead of the one it has.
    store_calibration: bool = False
    #: Which threshold of a detector's calibration decides.
    threshold: str | None = None
    #: All detectors as one more, by `mean`, `vote` or `logistic`.
    fuse: str | None = None
    #: The corpus that a logistic fusion is fitted on.
    fuse_on: str | None = None
    #: Take the detectors as one recipe trained with several seeds: best, average and vote.
    as_seeds: bool = False
    asv: AsvFiles = field(default_factory=AsvFiles)
    #: Which figures, how their intervals are drawn, what is pooled.
    results: ResultSettings = field(default_factory=ResultSettings)


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
    #: By the name of the detector, where it has one: what its scores mean, and its thresholds.
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)


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
    corpora = Corpora.opened(on, settings.calibrate_on, data)
    return conclude(score_detectors(detectors, corpora, Path(out), settings), settings)


@dataclass(frozen=True)
class Corpora:
    """What is evaluated, and what calibrations are fitted on."""

    on: Sequence[Manifest]
    calibrate_on: Sequence[Manifest] = ()

    @classmethod
    def opened(
        cls,
        on: Sequence[str],
        calibrate_on: Sequence[str] = (),
        data: Mapping[str, str | Path] | None = None,
    ) -> Self:
        """From what a person writes."""
        return cls(open_corpora(on, data), open_corpora(calibrate_on, data, "--calibrate-on"))


def open_corpora(
    references: Sequence[str],
    data: Mapping[str, str | Path] | None = None,
    flag: str = "--on",
) -> list[Manifest]:
    """The manifests of some corpora; two of one name are refused."""
    given = [f"{name}={path}" for name, path in (data or {}).items()]
    names, roots = name_references(references, roots_here(given))
    manifests = [open_corpus(name, roots) for name in names or []]
    _refuse_twins(flag, [manifest.name for manifest in manifests])
    return manifests


def _refuse_twins(flag: str, names: Sequence[str]) -> None:
    """Refuse two of one name before the scores of one replace those of the other."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{flag}: two are called {name!r}; name each once, or rename a folder")


@dataclass(frozen=True)
class Scored:
    """Score files that are written below `out`, and what they were made from."""

    detectors: list[str | Path]
    corpora: Corpora
    out: Path
    outcomes: list[Outcome] = field(default_factory=list)
    #: Of what the calibrations are fitted on.
    calibration_outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bonafide_classes: dict[str, int] = field(default_factory=dict)


def score_detectors(
    detectors: Sequence[str | Path], corpora: Corpora, out: Path, settings: EvaluationSettings
) -> Scored:
    """Write the score files; what can be refused is refused before the work.

    A folder of published files means all of them.
    """
    detectors = [file for path in detectors for file in published_files(path)]
    _refuse_twins("--detector", [find_detector(path)[0] for path in detectors])
    _refuse_calibration(detectors, corpora, settings)
    uses_own = not corpora.calibrate_on and settings.scoring.score_rule == "default"

    make_folder(out)
    together = num_together() > 1 and not settings.device  # then each has a device of its own
    device = this_process().device if together else best_device(settings.device)
    scored = Scored(list(detectors), corpora, out)
    if slow := slowness(settings.scoring.precision, device):
        scored.notes.append(slow)
    for path in detectors:
        name, place = find_detector(path)
        decision = PolarityDecision(corpora.on, out / name / POLARITY, device)
        name, detector = open_detector(
            path, settings.bonafide_class, settings.trust_remote_code, decision
        )
        if decision.bonafide_class is not None:
            scored.bonafide_classes[name] = decision.bonafide_class
            scored.notes.append(f"{name}: {decision.note}")
        if uses_own:
            refuse_other_weights(place, detector)
        named = name, detector.to(device)
        training = KnownCorpora.read(place, detector.experiment)
        for manifests, folder, outcomes in (
            (corpora.on, out, scored.outcomes),
            (corpora.calibrate_on, out / CALIBRATION_SCORES, scored.calibration_outcomes),
        ):
            if manifests:
                outcomes.extend(score_all(named, manifests, folder, settings.scoring, training))
    return scored


def _refuse_calibration(
    detectors: Sequence[str | Path], corpora: Corpora, settings: EvaluationSettings
) -> None:
    """Refuse what a calibration cannot do, before the work."""
    if settings.store_calibration and not corpora.calibrate_on:
        raise ValueError("--store-calibration: says not on what it is fitted; add --calibrate-on")
    if settings.scoring.score_rule == "published":
        if corpora.calibrate_on:
            raise ValueError("--calibrate-on: fits our score only; leave out --score-rule")
        return
    for path in detectors:
        refuse_threshold(path, settings.threshold, corpora.calibrate_on)
        if settings.store_calibration:
            refuse_storing(path)


def conclude(scored: Scored, settings: EvaluationSettings) -> Evaluation:
    """Score files to results, calibrated where that was asked for."""
    if settings.scoring.score_rule == "published":
        calibrations: dict[str, Calibration] = {}
        notes = ["the scores are the authors' own; no calibration and no threshold fits them"]
    else:
        calibrations, notes = _calibrations(scored, settings)
    for path in scored.detectors:
        name = find_detector(path)[0]
        keep_beside_scores(scored.out / name, calibrations.get(name))

    tables = _read(scored.outcomes)
    results = build_results(tables, settings, calibrations) if tables else None
    return Evaluation(
        results=results,
        outcomes=scored.outcomes,
        detectors=scored.detectors,
        manifests=list(scored.corpora.on),
        notes=[*scored.notes, *notes],
        bonafide_classes=scored.bonafide_classes,
        calibrations=calibrations,
    )


def _read(outcomes: Sequence[Outcome]) -> list[Scores]:
    return [read_scores(outcome.path) for outcome in outcomes if outcome.scored]


def _calibrations(
    scored: Scored, settings: EvaluationSettings
) -> tuple[dict[str, Calibration], list[str]]:
    """The calibration of each detector that has one, by name; and what a reader should know."""
    found: dict[str, Calibration] = {}
    notes = []
    sharing = with_clips_of(scored.corpora.calibrate_on, scored.corpora.on)
    for path in scored.detectors:
        name, place = find_detector(path)
        if scored.corpora.calibrate_on:
            own = [each for each in scored.calibration_outcomes if each.path.parent.name == name]
            tables = _read(own)
            found[name] = fit_calibration(settings.calibrate, tables, sharing)
            notes += [
                f"{name}: is calibrated on what it was trained on ({table.header['overlap_detail']}"
                "); its probabilities are too sure"
                for table in tables
                if "(train)" in table.header["overlap_detail"] and overlap_of(table) == SEEN
            ]
            if settings.store_calibration:
                write_calibration(place, found[name])
        elif (calibration := read_calibration(place)) is not None:
            found[name] = calibration
        elif settings.threshold:
            notes.append(
                f"--threshold {settings.threshold} has no effect on {name}: it has no calibration"
            )
    return found, notes


def build_results(
    tables: Sequence[Scores],
    settings: EvaluationSettings,
    calibrations: Mapping[str, Calibration] | None = None,
) -> Matrix:
    """The matrix of score tables, with ASV scores and a fused detector where they are asked for."""
    if settings.fuse_on and not settings.fuse:
        raise ValueError(f"--fuse-on {settings.fuse_on}: belongs to --fuse logistic; give both")
    fused = fuse_by_corpus(tables, settings.fuse, settings.fuse_on) if settings.fuse else []
    tables = [*(as_seeds(tables) if settings.as_seeds else tables), *fused]
    asv = {corpus: asv_scores(table) for corpus, table in settings.asv.read(tables).items()}
    how = replace(settings.results, threshold=settings.threshold)
    return matrix(tables, asv, calibrations, how)
