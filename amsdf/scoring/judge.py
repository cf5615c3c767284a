"""One recording to one `Verdict`: the only place that knows how a score becomes an answer.

    judge = load("runs/mine")
    print(judge("call.m4a"))

How the parts of a recording become its score is in the detector's experiment (`score`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from amsdf.audio import AudioError, AudioStream, Source, stream_audio, waveform_of
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference import ScoredPart, ScoreSettings, pool_parts, score_recording
from amsdf.detector.loading import best_device, find_detector, open_detector
from amsdf.detector.windows import QUIET
from amsdf.scoring.calibration import Calibration, read_calibration
from amsdf.scoring.scorer import NOT_FINITE
from amsdf.scoring.thresholds import CANNOT_TELL
from amsdf.scoring.verdict import (
    DetectorFacts,
    Verdict,
    Window,
    chance_in_words,
    join_spans,
    on_fake_side,
)

#: From so many clips on, a recording of which one clip is listened to is warned about.
MUCH_LONGER = 1.5


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
    #: A threshold of the calibration that decides instead of its operating point.
    threshold: str | None = None
    batch_size: int = 16
    precision: str = "fp32"
    #: `published`: the score that the authors of the system report, to repeat their figures.
    score_rule: str = "default"

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
        stream = stream_audio(recording)
        return _noting(self.judge_blocks(stream, stream.name), stream)

    def judge_blocks(self, blocks: Iterable[np.ndarray], name: str = "the recording") -> Verdict:
        """Judge the blocks (S,) of a recording at 16 kHz; `name` is what an error calls it."""
        meter = _Meter(blocks)
        parts = list(score_recording(self.detector, meter, self.settings))
        score = pool_parts(parts, self.detector)
        if not isfinite(score):
            raise AudioError(name, NOT_FINITE)
        return self._verdict(score, self._windows(parts), meter.num_samples)

    def _windows(self, parts: Sequence[ScoredPart]) -> tuple[Window, ...]:
        chances: Sequence[float | None] = [None] * len(parts)
        if self.calibration is not None:
            chances = self.calibration.to_probability([each.score for each in parts]).tolist()
        loudest = max(each.part.power for each in parts)
        return tuple(
            Window(
                start=each.part.start / SAMPLE_RATE,
                end=each.part.end / SAMPLE_RATE,
                score=each.score,
                probability=chance,
                quiet=each.part.power < QUIET * loudest,
            )
            for each, chance in zip(parts, chances, strict=True)
        )

    def _verdict(self, score: float, windows: tuple[Window, ...], num_samples: int) -> Verdict:
        calibration, point, probability = self.calibration, None, None
        decision, reason = CANNOT_TELL, "The detector is not calibrated, so its score only ranks."
        flagged: list[Window] = []
        if calibration is not None:
            point = calibration.point(self.threshold)
            probability = float(calibration.to_probability([score])[0])
            decision = point.decide(probability)
            reason = chance_in_words(probability)
            if decision == CANNOT_TELL:
                reason = f"The evidence is too weak. {reason}"
            flagged = [window for window in windows if on_fake_side(window, point)]
        return Verdict(
            decision=decision,
            reason=reason,
            score=score,
            probability=probability,
            seconds=num_samples / SAMPLE_RATE,
            windows=windows,
            flagged=join_spans(flagged),
            warnings=self._warnings(num_samples),
            operating_point=point,
            detector=self.facts,
        )

    @property
    def settings(self) -> ScoreSettings:
        """How it scores."""
        return ScoreSettings(self.batch_size, precision=self.precision, score_rule=self.score_rule)

    @property
    def facts(self) -> DetectorFacts:
        """Who gives the verdict."""
        trained_on = tuple(self.detector.experiment.train.corpora)
        dev = None if self.calibration is None else self.calibration.dev
        return DetectorFacts(self.name, trained_on, dev)

    def _warnings(self, num_samples: int) -> tuple[str, ...]:
        found = []
        if self.score_rule == "published":
            found.append("this is the authors' own score, which is not calibrated: it only ranks")
        experiment = self.detector.experiment
        samples = experiment.clip.samples
        if samples is None:
            return tuple(found)
        lasts, at_once = f"{num_samples / SAMPLE_RATE:.1f} s", f"{samples / SAMPLE_RATE:.1f} s"
        if num_samples < samples // 2:
            found.append(f"it lasts {lasts}; the detector listens to {at_once} at a time")
        if experiment.score.parts == "first" and num_samples > MUCH_LONGER * samples:
            place = {"start": "first", "centre": "middle"}[experiment.clip.eval_crop]
            found.append(f"it lasts {lasts}; the detector listened to the {place} {at_once} only")
        return tuple(found)


def _noting(verdict: Verdict, stream: AudioStream) -> Verdict:
    """The verdict on a stream that is read to its end, with a warning where it is cut off."""
    if not stream.cut_off:
        return verdict
    return replace(verdict, warnings=(*verdict.warnings, f"the file {stream.cut_off}"))


class _Meter:
    """Blocks (S,), counted while they pass."""

    def __init__(self, blocks: Iterable[np.ndarray]):
        self.blocks, self.num_samples = blocks, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks:
            self.num_samples += len(block)
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
        name_or_path: A shipped name, a run folder, a detector folder or a published file.
        device: `cpu`, `cuda`, `cuda:1` …; without it, the best there is.
        trust_remote_code: Whether code inside a model folder may run. No file can switch it on.
        bonafide_class: Which class of a published file is bona fide, where its authors do not say.
        threshold: A threshold of the calibration that decides instead of its operating point:
            `eer`, `far-1%`, `far-5%` or `cost`.

    Example:
        >>> import amsdf
        >>> judge = amsdf.load("runs/mine")
        >>> judge("call.wav").decision in ("real", "fake", "cannot tell")
        True
    """
    name, detector = open_detector(name_or_path, bonafide_class, trust_remote_code)
    calibration = read_calibration(find_detector(name_or_path)[1])
    if calibration is not None:
        calibration.point(threshold)  # an unknown name is refused before any work
    return Judge(name, detector.to(best_device(device)), calibration, threshold)


def judge_manifest(
    judge: Judge, recordings: Manifest
) -> Iterator[tuple[dict[str, Any], Verdict | AudioError]]:
    """Each row of a manifest with its verdict, or why there is none."""
    for row in recordings.table.iter_rows(named=True):
        verdict: Verdict | AudioError
        try:
            stream = stream_audio(row["path"], row.get("start"), row.get("end"))
            verdict = _noting(judge.judge_blocks(stream, row["path"]), stream)
        except AudioError as error:
            verdict = error
        yield row, verdict
