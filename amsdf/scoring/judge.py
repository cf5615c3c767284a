"""One recording to one `Verdict`: the only place that knows how a score becomes an answer.

    judge = load("runs/mine")
    print(judge("call.m4a"))

The score of a recording is the mean score of its windows.
"""

import html
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
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
from amsdf.scoring.windows import Window, score_windows

REAL, FAKE = "real", "fake"
#: (least probability that the speech is real, how the verdict calls it, strength of the evidence)
_WORDS = (
    (0.99, "very probably real", "strong"),
    (0.90, "probably real", "clear"),
    (0.70, "perhaps real", "weak"),
    (0.30, "uncertain", "too weak to lean either way"),
    (0.10, "perhaps fake", "weak"),
    (0.01, "probably fake", "clear"),
    (0.00, "very probably fake", "strong"),
)


@dataclass(frozen=True)
class Verdict:
    """What a detector says about one recording.

    Example:
        >>> verdict = load("runs/mine")("call.wav")
        >>> sorted(verdict.to_dict())[:3]
        ['detector', 'label', 'probability']
    """

    #: Higher means more bona fide (real speech). Only its order has a meaning.
    score: float
    #: Probability that the speech is real; None for a detector without a calibration.
    probability: float | None
    #: "real" or "fake" at the threshold; None for a detector without a calibration.
    label: str | None
    windows: tuple[Window, ...]
    warnings: tuple[str, ...]
    #: Who says so.
    detector: str
    #: The score above which a recording counts as real, and how it was chosen on dev.
    threshold: float | None = None
    threshold_name: str = "eer"

    @property
    def lowest(self) -> Window:
        """The window that looks most like a fake."""
        return min(self.windows, key=lambda window: window.score)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        first, *rest = (html.escape(line) for line in self.lines())
        return f"<p><b>{first}</b><br>{'<br>'.join(rest)}</p>"

    def lines(self) -> list[str]:
        """The verdict in words, a sentence a line."""
        found = [f"score {self.score:.4f}"]
        if self.probability is not None:
            decision = "accepted as real" if self.label == REAL else "rejected as fake"
            found.append(in_words(self.probability))
            found.append(
                f"{decision} at the threshold {self.threshold:.4f} ({self.threshold_name} on dev)"
            )
        if len(self.windows) > 1:
            lowest = self.lowest
            found.append(
                f"{len(self.windows)} windows; the lowest score {lowest.score:.4f} "
                f"is at {lowest.start:.1f} s"
            )
        return [*found, *self.warnings]


def in_words(probability: float) -> str:
    """One sentence for a person who has never heard of a score.

    Args:
        probability: that the recording is bona fide.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability {probability} is not between 0 and 1")
    word, strength = next(row[1:] for row in _WORDS if probability >= row[0])
    real = round(100 * probability)
    share = f"{real} in 100" if 0 < real < 100 else ("over 99 in 100" if real else "under 1 in 100")
    return (
        f"This recording is {word}: the detector puts the chance that a person really said this "
        f"at {share}, and its evidence is {strength}. This is an estimate, not a proof."
    )


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
    #: Which threshold of the calibration decides.
    threshold: str = "eer"
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
        warnings = self._warnings(num_samples)
        if self.calibration is None:
            return Verdict(score, None, None, windows, warnings, self.name)
        threshold = self.calibration.threshold(self.threshold)
        return Verdict(
            score=score,
            probability=float(self.calibration.to_probability([score])[0]),
            label=REAL if score > threshold else FAKE,
            windows=windows,
            warnings=warnings,
            detector=self.name,
            threshold=threshold,
            threshold_name=self.threshold,
        )

    def _warnings(self, num_samples: int) -> tuple[str, ...]:
        found = []
        if self.score_rule == "published":
            found.append("this is the authors' own score, which is not calibrated: it only ranks")
        elif self.calibration is None:
            found.append("no calibration is stored with this detector, so the score only ranks")
        samples = self.detector.experiment.clip.samples
        if samples and num_samples < samples // 2:
            found.append(
                f"the recording lasts {num_samples / SAMPLE_RATE:.1f} s; the detector listens to "
                f"{samples / SAMPLE_RATE:.1f} s at a time"
            )
        return tuple(found)


def load(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    trust_remote_code: bool = False,
    bonafide_class: int | None = None,
    threshold: str = "eer",
) -> Judge:
    """Open a detector with its calibration, ready to judge recordings.

    Args:
        name_or_path: A shipped name, a run folder, a detector folder or a published file.
        device: `cpu`, `cuda`, `cuda:1` …; without it, the best there is.
        trust_remote_code: Whether code inside a model folder may run. No file can switch it on.
        bonafide_class: Which class of a published file is bona fide, where its authors do not say.
        threshold: Which threshold of the calibration decides: `eer`, `far-1%`, `far-5%` or `cost`.

    Example:
        >>> import amsdf
        >>> judge = amsdf.load("runs/mine")
        >>> judge("call.wav").label in ("real", "fake")
        True
    """
    name, detector = open_detector(name_or_path, bonafide_class, trust_remote_code)
    calibration = read_calibration(find_detector(name_or_path)[1])
    if calibration is not None:
        calibration.threshold(threshold)  # an unknown name is refused before any work
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
