"""A detector and a corpus -> the folder of a submission, or one line that says why not.

The Arena's package ranks what it is given. So what it would rank as nonsense is refused here: NaN
scores, ids that its reader would split, results of another detector, a corpus that the detector
knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.inference.windows import describe_rule
from amsdf.detector.storage.loading import best_device, find_detector, open_detector
from amsdf.evaluation.arena.adapter import Opening, adapter_source
from amsdf.evaluation.arena.documents import (
    RULES,
    RunFacts,
    ScoreFacts,
    Submission,
    as_yaml,
    documents,
    scores_text,
    unfinished,
)
from amsdf.evaluation.arena.files import ADAPTER, CARD, FILES, SCORES
from amsdf.evaluation.arena.refusals import (
    refuse_gaps,
    refuse_known,
    refuse_other_work,
    refuse_split_ids,
)
from amsdf.evaluation.arena.trials import with_arena_ids
from amsdf.evaluation.bundles.record import Record, digests
from amsdf.evaluation.cross_evaluation import open_corpora
from amsdf.files import make_folder, write_text
from amsdf.scoring.calibration.calibration import read_calibration
from amsdf.scoring.card import judge_card
from amsdf.scoring.outcomes import summary_of
from amsdf.scoring.score_files.table import Scores, class_scores, read_scores
from amsdf.scoring.scorer import Work, score_manifest, score_path
from amsdf.scoring.training_data import SAME_CORPUS, SAME_SPEAKERS, KnownCorpora, overlap_of

PROTOCOL = "64600 samples, "


@dataclass(frozen=True)
class ArenaSettings:
    """How the detector is opened and scores."""

    scoring: ScoreSettings = field(default_factory=ScoreSettings)
    device: str | None = None
    #: Which class of a published file is bona fide; it is not looked up in the labels.
    bonafide_class: int | None = None
    trust_remote_code: bool = False
    #: Names of corpora and where they are.
    data: Mapping[str, str | Path] = field(default_factory=dict)
    #: For the card, by its short name on the hub.
    licence: str = "other"


@dataclass(frozen=True)
class Bundle:
    """What was written and found, and which files wait for which flags."""

    folder: Path
    found: ScoreFacts
    waiting: dict[str, list[str]]
    notes: list[str]


def export_arena(
    detector: str,
    corpus: str,
    out: Path,
    said: Submission | None = None,
    settings: ArenaSettings | None = None,
) -> Bundle:
    """Score a corpus with a detector and write the files of a submission.

    What the same work has scored before is kept, so a second call adds what the user says.

    Args:
        detector: A shipped name, a run or detector folder, a published file or a hub id.
        corpus: A name, manifest or folder, with labels.
        out: The folder of the bundle; it holds one detector on one corpus.
        said: What the user says of the submission.
        settings: The rest.
    """
    settings = settings or ArenaSettings()
    manifest = with_arena_ids(open_corpora([corpus], settings.data)[0]).require_both_classes()
    refuse_split_ids(manifest)
    name, opened = open_detector(detector, settings.bonafide_class, settings.trust_remote_code)
    known = KnownCorpora.read(find_detector(detector)[1], opened.experiment)
    refuse_known(name, known, manifest)
    said = said or Submission(name)
    work = Work.of((name, opened), settings.scoring, known)
    refuse_other_work(
        out, {**work.decides, "corpus": manifest.name, "manifest_hash": manifest.digest}
    )

    make_folder(out)
    opened.to(best_device(settings.device))
    outcome = score_manifest(work, manifest, out)
    lines, _ = summary_of([outcome], out)
    refuse_gaps(outcome, out)

    made = _Work(out, detector, opened, read_scores(outcome.path), said, settings)
    waiting = made.write()
    return Bundle(out, made.facts.found, waiting, lines)


@dataclass(frozen=True)
class _Work:
    """Scores, and all that is said beside them."""

    out: Path
    given: str
    detector: Detector
    scores: Scores
    said: Submission
    settings: ArenaSettings

    @cached_property
    def facts(self) -> RunFacts:
        """What the run has found, computed from the scores as they are written."""
        experiment = self.detector.experiment
        views = ", ".join(f"{name} {view.encoder}" for name, view in experiment.views.items())
        return RunFacts(
            found=ScoreFacts.of(self.scores),
            parameters=sum(each.numel() for each in self.detector.parameters()),
            about=f"Views: {views}; head: {experiment.head.name}; loss: {experiment.loss.name}.",
            notes=" ".join(filter(None, (_heard(self.detector), _known(self.scores)))),
        )

    def write(self) -> dict[str, list[str]]:
        """Write all files -> those that wait, with the flags they wait for."""
        write_text(self.out / SCORES, scores_text(self.scores))
        write_text(self.out / ADAPTER, adapter_source(self._opening()))
        write_text(self.out / CARD, self._card())
        complete = documents(self.said, self.facts)
        contents = {**unfinished(self.said, self.facts), **complete}
        for name in RULES:
            if name in contents:
                write_text(self.out / name, as_yaml(contents[name]))
            else:
                (self.out / name).unlink(missing_ok=True)  # of an earlier call, with other words
        self._record()
        return {name: self.said.missing(name) for name in RULES if name not in complete}

    def _record(self) -> None:
        corpus = score_path(self.out, self.scores.header["corpus"])
        files = [self.out / name for name in FILES if (self.out / name).exists()]
        Record(
            made_by="arena",
            files=digests(self.out, [*files, corpus]),
            scores=(corpus.name,),
            experiments={self.scores.header["detector"]: self.detector.experiment.to_yaml()},
        ).write(self.out)

    def _opening(self) -> Opening:
        scoring = self.settings.scoring
        return Opening(
            name=self.said.name,
            detector=self.given,
            digest=self.detector.digest(),
            bonafide_class=self.settings.bonafide_class,
            trust_remote_code=self.settings.trust_remote_code,
            score_rule=scoring.score_rule,
            batch_size=scoring.batch_size,
        )

    def _card(self) -> str:
        run, corpus = self.facts.found, self.scores.header["corpus"]
        real, fake = class_scores(self.scores)
        section = (
            "## By the rules of the Speech Anti-Spoofing Arena\n\n"
            f"{corpus}: EER {run.eer_percent:.2f} %, {len(real)} real and {len(fake)} fake "
            f"recordings, {run.skipped} of {run.listed} skipped. Equal scores are decided "
            f"together; the rates are interpolated. {self.facts.notes}\n"
        )
        calibration = read_calibration(find_detector(self.given)[1])
        name = (self.said.name, self.detector)
        return judge_card(name, calibration, (section,), self.settings.licence)


def _heard(detector: Detector) -> str:
    """What the detector listens to, beside what the Arena takes for granted."""
    rule = describe_rule(detector.experiment)
    if rule.startswith(PROTOCOL) and rule.endswith("crop: start"):
        return "It listens to the first 64,600 samples."
    return f"It listens to: {rule}; not to the first 64,600 samples alone."


def _known(scores: Scores) -> str:
    """What the detector knows of the speakers or of the corpus, if it knows something."""
    what = {SAME_SPEAKERS: "speakers of this set", SAME_CORPUS: "other parts of this corpus"}
    mark = overlap_of(scores)
    detail = scores.header.get("overlap_detail", "")
    return f"It knows {what[mark]}: {detail}." if mark in what else ""
