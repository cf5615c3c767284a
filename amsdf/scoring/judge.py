"""One recording to one `Verdict`: the only place that knows how a score becomes an answer.

    judge = load("runs/mine")
    print(judge("call.m4a"))

The score of a recording is the mean score of its windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from amsdf.audio import AudioError, Source, read_audio, waveform_of
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.loading import best_device, find_detector, open_detector
from amsdf.scoring.calibration import Calibration, read_calibration
from amsdf.scoring.scorer import NOT_FINITE
from amsdf.scoring.thresholds import CANNOT_TELL, FAKE
from amsdf.scoring.verdict import DetectorFacts, Verdict, Window, chance, join_spans
from amsdf.scoring.windows import score_windows


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
            return self.judge_waveform(waveform_of(samples, sampling_rate))
        if sampling_rate is not None:
            raise ValueError(f"a file says its own rate; leave out sampling_rate={sampling_rate}")
        return self.judge_waveform(read_audio(recording))

    def judge_waveform(self, waveform: np.ndarray, name: str = "the recording") -> Verdict:
        """Judge a waveform (S,) at 16 kHz; `name` is what an error calls it."""
        windows = score_windows(
            self.detector, waveform, self.batch_size, self.precision, self.score_rule
        )
        score = float(np.mean([window.score for window in windows]))
        if not isfinite(score):
            raise AudioError(name, NOT_FINITE)
        return self._verdict(score, windows, len(waveform))

    def _verdict(self, score: float, windows: tuple[Window, ...], num_samples: int) -> Verdict:
        calibration, point, probability = self.calibration, None, None
        decision, reason = CANNOT_TELL, "The detector is not calibrated, so its score only ranks."
        flagged: tuple[Window, ...] = ()
        if calibration is not None:
            point = calibration.point(self.threshold)
            probability = float(calibration.to_probability([score])[0])
            decision = point.decide(probability)
            reason = chance(probability)
            if decision == CANNOT_TELL:
                reason = f"The evidence is too weak. {reason}"
            chances = calibration.to_probability([window.score for window in windows])
            windows = tuple(map(_with_probability, windows, chances.tolist()))
            flagged = tuple(w for w in windows if point.decide(w.probability or 0.0) == FAKE)
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
    def facts(self) -> DetectorFacts:
        """Who gives the verdict."""
        trained_on = tuple(self.detector.experiment.train.corpora)
        dev = None if self.calibration is None else self.calibration.dev
        return DetectorFacts(self.name, trained_on, dev)

    def _warnings(self, num_samples: int) -> tuple[str, ...]:
        found = []
        if self.score_rule == "published":
            found.append("this is the authors' own score, which is not calibrated: it only ranks")
        samples = self.detector.experiment.clip.samples
        if samples and num_samples < samples // 2:
            found.append(
                f"the recording lasts {num_samples / SAMPLE_RATE:.1f} s; the detector listens to "
                f"{samples / SAMPLE_RATE:.1f} s at a time"
            )
        return tuple(found)


def _with_probability(window: Window, probability: float) -> Window:
    return replace(window, probability=probability)


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
) -> Iterator[tuple[dict[str, Any], Verdict | AudioError, np.ndarray]]:
    """Each row of a manifest, its verdict or why there is none, and its waveform (S,)."""
    for row in recordings.table.iter_rows(named=True):
        waveform = np.zeros(0, np.float32)
        verdict: Verdict | AudioError
        try:
            waveform = read_audio(row["path"], row.get("start"), row.get("end"))
            verdict = judge.judge_waveform(waveform, row["path"])
        except AudioError as error:
            verdict = error
        yield row, verdict, waveform
