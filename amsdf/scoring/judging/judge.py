"""One recording to one `Verdict`: the only place that knows how a score becomes an answer.

    judge = load("runs/mine")
    print(judge("call.m4a"))

How the parts of a recording become its score is in the detector's experiment (`score`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from amsdf.audio import AudioError, AudioStream, Source, stream_audio, waveform_of
from amsdf.audio.speech import Listener
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoredPart, ScoreSettings, pool_parts, score_recording
from amsdf.detector.storage import hub
from amsdf.detector.storage.loading import best_device, find_detector, open_detector
from amsdf.files import write_text
from amsdf.scoring.calibration.calibration import FILE, Calibration, read_calibration
from amsdf.scoring.card import judge_card
from amsdf.scoring.judging.deciding import Findings, length_warnings, verdict_on, windows_of
from amsdf.scoring.judging.verdict import DetectorFacts, Verdict, Window
from amsdf.scoring.reference import TrainingReference
from amsdf.scoring.scorer import NOT_FINITE
from amsdf.scoring.training_data import KnownCorpora
from amsdf.weights import digest_of_tensors

#: Gives on the blocks that it is given.
Watch = Callable[[AudioStream], Iterable[np.ndarray]]
#: The blocks (S,) of a recording to its scored parts.
Scorer = Callable[[Detector, Iterable[np.ndarray], ScoreSettings], Iterator[ScoredPart]]
_FORGOTTEN = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Judge:
    """A detector that answers for whole recordings.

    Example:
        >>> judge = load("runs/mine")
        >>> with open("call.wav", "rb") as file:
        ...     judge(file) == judge("call.wav")
        True
    """

    name: str
    detector: Detector
    calibration: Calibration | None = None
    #: What the detector was trained on, in its embedding space; None where it is not known.
    reference: TrainingReference | None = None
    #: What it was trained and chosen on.
    training: KnownCorpora | None = None
    #: A threshold of the calibration that decides instead of its operating point.
    threshold: str | None = None
    #: Windows scored at once: on CPUs two are as quick as sixteen, in a tenth of the memory.
    batch_size: int = 2
    #: Number format of the encoders: `fp32`, `bf16`, `int8`, or `auto`, the quickest here.
    precision: str = "fp32"
    #: `published`: the score that the authors of the system report, to repeat their figures.
    score_rule: str = "default"
    #: The straightforward computation, to measure the quick one against.
    plain: bool = False
    #: Who scores: a service has one scorer for all recordings that come in at the same time.
    scorer: Scorer = score_recording

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **how: Any) -> "Judge":
        """As `load`, with its arguments."""
        return load(name_or_path, **how)

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, token: str | None = None, card: str = ""
    ) -> str:
        """Upload detector, calibration and card to the Hugging Face hub -> the address there.

        Args:
            repo_id: `owner/name`; the repository is made if need be.
            private: Whether a new repository is hidden; None: as its owner's account says.
            token: Without it, that of `hf auth login` or `$HF_TOKEN`.
            card: The text of its `README.md`; without it, what `amsdf card` writes.
        """

        def write(folder: Path) -> None:
            self.detector.save_pretrained(folder)
            if self.calibration is not None:
                write_text(folder / FILE, self.calibration.to_json())
            if self.reference is not None:
                self.reference.save(folder)
            if self.training is not None:
                self.training.save(folder)
            text = card or judge_card((repo_id, self.detector), self.calibration)
            write_text(folder / hub.CARD, text)

        return hub.upload(repo_id, write, private, token)

    def as_published(self) -> "Judge":
        """The same, with the score that the authors of the system report: it has no calibration."""
        return replace(self, score_rule="published", calibration=None)

    def __call__(
        self, recording: Source | np.ndarray | Tensor, sampling_rate: int | None = None
    ) -> Verdict:
        """Judge one recording.

        Args:
            recording: A file, the bytes of one, an open binary file, or samples (S,) or
                (channels, S).
            sampling_rate: Samples a second; needed for samples, and only for them.
        """
        if isinstance(recording, np.ndarray | Tensor):
            if sampling_rate is None:
                raise ValueError("samples were given without sampling_rate=; give it, e.g. 16000")
            samples = (
                recording.detach().cpu().numpy() if isinstance(recording, Tensor) else recording
            )
            return self.judge_blocks([waveform_of(samples, sampling_rate)])
        if sampling_rate is not None:
            raise ValueError(f"a file says its own rate; leave out sampling_rate={sampling_rate}")
        return self.judge_stream(stream_audio(recording))

    def judge_stream(self, stream: AudioStream, watch: Watch = iter) -> Verdict:
        """Judge a recording while it is read, in bounded memory.

        `watch` is given the blocks and gives them on: it can show how far the work is.
        """
        verdict = self.judge_blocks(watch(stream), stream.name)
        if not stream.cut_off:
            return verdict
        return replace(verdict, warnings=(*verdict.warnings, f"the file {stream.cut_off}"))

    def judge_blocks(self, blocks: Iterable[np.ndarray], name: str = "the recording") -> Verdict:
        """Judge the blocks (S,) of a recording at 16 kHz; `name` is what an error calls it."""
        listener = Listener()
        parts = []
        for scored in self.scorer(self.detector, _heard(blocks, listener), self.settings):
            distance = 0.0 if self.reference is None else self.reference.distance(scored.embedding)
            # Hours of embeddings would fill memory.
            parts.append((replace(scored, embedding=_FORGOTTEN), float(distance)))
        score = pool_parts([scored for scored, _ in parts], self.detector)
        if not isfinite(score):
            raise AudioError(name, NOT_FINITE)

        parts = [each for each in parts if isfinite(each[0].score)]  # a silent one may have none
        windows = self._windows([scored for scored, _ in parts])
        counted = [
            distance
            for (_, distance), window in zip(parts, windows, strict=True)
            if not window.quiet
        ]
        hearing = listener.hearing()
        findings = Findings(
            score=score,
            probability=self._chances([score])[0],
            windows=windows,
            hearing=hearing,
            unlike=self.reference is not None and self.reference.is_beyond(counted),
            own_threshold=self.threshold is not None,
            warnings=self._warnings(hearing.seconds),
        )
        point = None if self.calibration is None else self.calibration.point(self.threshold)
        return verdict_on(findings, point, self.facts)

    @property
    def settings(self) -> ScoreSettings:
        """How it scores."""
        return ScoreSettings(
            self.batch_size,
            precision=self.precision,
            score_rule=self.score_rule,
            plain=self.plain,
        )

    @property
    def facts(self) -> DetectorFacts:
        """Who gives the verdict."""
        trained_on = tuple(self.detector.experiment.train.corpora)
        dev = None if self.calibration is None else self.calibration.dev
        return DetectorFacts(self.name, trained_on, dev)

    def _windows(self, parts: Sequence[ScoredPart]) -> tuple[Window, ...]:
        scores = [each.score for each in parts]
        return windows_of([each.part for each in parts], scores, self._chances(scores))

    def _chances(self, scores: Sequence[float]) -> list[float | None]:
        """That what has these scores is real speech; None without a calibration."""
        if self.calibration is None:
            return [None] * len(scores)
        return self.calibration.to_probability(scores).tolist()

    def _warnings(self, seconds: float) -> list[str]:
        found = length_warnings(seconds, self.detector.experiment)
        if self.score_rule != "published":
            return found
        return ["this is the authors' own score, which is not calibrated: it only ranks", *found]


def _heard(blocks: Iterable[np.ndarray], listener: Listener) -> Iterator[np.ndarray]:
    """The blocks (S,), heard by the listener while they pass."""
    for block in blocks:
        listener.add(block)
        yield block


def load(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    trust_remote_code: bool = False,
    bonafide_class: int | None = None,
    threshold: str | None = None,
) -> Judge:
    """Open a detector with its calibration, ready to judge recordings.

    Args:
        name_or_path: A shipped name, a run folder, a detector folder, a published file, or a hub
            id `owner/name` or `owner/name@revision`.
        device: `cpu`, `cuda`, `cuda:1` …; without it, the best there is.
        trust_remote_code: Whether code inside a model folder may run. No file can switch it on.
        bonafide_class: Which class of a published file is bona fide, where its authors do not say.
        threshold: A threshold of the calibration that decides instead of its operating point:
            `eer`, `far-1%`, `far-5%` or `cost`. At `far-1%` at most 1 % of fakes like those of
            dev pass, with 95 % confidence; it needs 299 of them (`far-5%`: 59).

    Example:
        >>> import amsdf
        >>> judge = amsdf.load("runs/mine")
        >>> judge("call.wav").decision in ("real", "fake", "cannot tell")
        True
    """
    name, detector = open_detector(name_or_path, bonafide_class, trust_remote_code)
    place = find_detector(name_or_path)[1]
    calibration, reference = read_calibration(place), TrainingReference.read(place)
    if calibration is not None:
        calibration.require_weights(place, digest_of_tensors(detector.state_dict()))
        calibration.point(threshold)  # an unknown name is refused before any work
    training = KnownCorpora.read(place, detector.experiment)
    detector.to(best_device(device))
    return Judge(name, detector, calibration, reference, training, threshold)
