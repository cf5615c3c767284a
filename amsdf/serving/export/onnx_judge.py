"""Judging with an exported detector: numpy, onnxruntime and soundfile are enough.

Everything but the graph is in the metadata of the file. The answers are those of `amsdf score`.
"""

import base64
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf

from amsdf.audio.speech import hear
from amsdf.detector.inference.cutting import QUIET, RecordingPart, cut
from amsdf.scoring.calibration.points import DevFigures, OperatingPoint
from amsdf.scoring.judging.deciding import Findings, length_warnings, verdict_on, windows_of
from amsdf.scoring.judging.verdict import DetectorFacts, Verdict
from amsdf.serving.export.resampling import resampled

#: The format of the metadata that is understood.
_FORMAT = 1
#: Parts scored at once.
_AT_ONCE = 2


class OnnxJudge:
    """An exported detector that answers for whole recordings.

    Example:
        judge = load("detector.onnx")
        print(judge("call.wav"))
    """

    def __init__(self, path: str | Path):
        options = SessionOptions()
        options.log_severity_level = 4  # errors are raised as well
        if not Path(path).is_file():
            raise ValueError(f"{path}: no such file")
        try:
            self.session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (Fail, InvalidGraph, InvalidProtobuf):
            raise ValueError(f"{path}: is no ONNX file that can be run") from None
        knows = self.session.get_modelmeta().custom_metadata_map.get("amsdf")
        if knows is None:
            raise ValueError(f"{path}: was not written by `amsdf export`")
        self.knows: dict[str, Any] = json.loads(knows)
        if self.knows["format"] != _FORMAT:
            raise ValueError(f"{path}: is of another version; take the amsdf_runtime.py beside it")
        self._rules: Any = SimpleNamespace(
            clip=SimpleNamespace(**self.knows["clip"]), score=SimpleNamespace(**self.knows["score"])
        )

    def __call__(self, recording: str | Path | bytes | BinaryIO) -> Verdict:
        """Judge a file, the bytes of one, or an open binary file."""
        return self.judge(heard_in(recording))

    def judge(self, waveform: NDArray[np.float32], name: str = "the recording") -> Verdict:
        """Judge samples (S,) at 16 kHz; `name` is what an error calls them."""
        parts, scores, distances = [], [], []
        for part, score, distance in self._scored(waveform):
            parts.append(part)
            scores.append(score)
            distances.append(distance)
        pooled = self._pool(np.array(scores), np.array([part.power for part in parts]))
        if not np.isfinite(pooled):
            raise ValueError(f"{name}: its score is not finite; it cannot be judged")

        kept = [place for place, score in enumerate(scores) if np.isfinite(score)]
        chances = [self._probability(scores[at]) for at in kept]
        windows = windows_of([parts[at] for at in kept], [scores[at] for at in kept], chances)
        counted = [
            distances[at] for at, window in zip(kept, windows, strict=True) if not window.quiet
        ]
        hearing = hear([waveform])
        findings = Findings(
            score=pooled,
            probability=self._probability(pooled),
            windows=windows,
            hearing=hearing,
            unlike=self._is_unlike(counted),
            warnings=length_warnings(hearing.seconds, self._rules),
        )
        return verdict_on(findings, self._point(), self.facts)

    def _scored(
        self, waveform: NDArray[np.float32]
    ) -> Iterator[tuple[RecordingPart, float, float]]:
        """Each part, its score, and how far it is from the training."""
        waiting: list[RecordingPart] = []
        for part in cut([waveform], self._rules):
            waiting.append(part)
            if len(waiting) == _AT_ONCE or part.last:
                clips = np.stack([each.waveform for each in waiting]).astype(np.float32)
                scores, embeddings = self.session.run(None, {"waveform": clips})
                distances = self._distances(embeddings)
                waiting = [replace(each, waveform=clips[0, :0]) for each in waiting]
                yield from zip(waiting, scores.tolist(), distances.tolist(), strict=True)
                waiting = []

    def _pool(self, scores: NDArray[np.float64], power: NDArray[np.float64]) -> float:
        counted = scores[power >= QUIET * power.max()]
        rule = self._rules.score
        return float(counted.mean() if rule.pool == "mean" else np.quantile(counted, rule.quantile))

    @property
    def facts(self) -> DetectorFacts:
        """Who gives the verdict."""
        dev = (self.knows["calibration"] or {}).get("dev")
        figures = dev and DevFigures(**{**dev, "corpora": tuple(dev["corpora"])})
        return DetectorFacts(self.knows["name"], tuple(self.knows["trained_on"]), figures)

    def _llr(self, score: float) -> float:
        """In nats, above 0 for bona fide."""
        fit = self.knows["calibration"]
        if fit["method"] == "logistic":
            (x0, x1), (y0, y1) = fit["scores"], fit["llrs"]
            return y0 + (score - x0) * ((y1 - y0) / (x1 - x0))
        return float(np.interp(score, fit["scores"], fit["llrs"]))

    def _probability(self, score: float) -> float | None:
        """That the speech is real; None without a calibration."""
        if self.knows["calibration"] is None:
            return None
        prior = self.knows["calibration"]["prior"]
        log_odds = self._llr(score) + np.log(prior / (1 - prior))
        return float(np.exp(-np.logaddexp(0, -log_odds)))

    def _point(self) -> OperatingPoint | None:
        fit = self.knows["calibration"]
        if fit is None:
            return None
        if fit["llrs"][0] == fit["llrs"][-1]:
            return OperatingPoint("no evidence", 0.0, 1.0)
        if fit["operating_point"]:
            return OperatingPoint(**fit["operating_point"])
        edge = self._probability(fit["thresholds"]["eer"]) or 0.0
        return OperatingPoint("eer", edge, edge)

    def _distances(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Embeddings (B, E) -> how far they are from those of the training (B,)."""
        known = self.knows["reference"]
        if known is None:
            return np.zeros(len(embeddings))
        mean, directions, deviations = (
            _array(known[name]) for name in ("mean", "directions", "deviations")
        )
        centred = embeddings.astype(np.float64) - mean
        along = centred @ directions.T
        outside = centred - along @ directions
        terms = np.square(along / deviations).sum(axis=1)
        terms += np.square(outside).sum(axis=1) / known["residual"] ** 2
        return np.sqrt(terms / (len(deviations) + 1))

    def _is_unlike(self, distances: Sequence[float]) -> bool:
        """Whether most of the parts are unlike what the detector was trained on."""
        known = self.knows["reference"]
        return known is not None and bool(np.mean(np.array(distances) > known["threshold"]) > 0.5)


def load(path: str | Path) -> OnnxJudge:
    """Open an exported detector."""
    return OnnxJudge(path)


def heard_in(recording: str | Path | bytes | BinaryIO) -> NDArray[np.float32]:
    """A recording as (S,) at 16 kHz: what `soundfile` reads, channels averaged."""
    name = recording if isinstance(recording, str | Path) else getattr(recording, "name", None)
    name = str(name or "the recording")
    if isinstance(recording, str | Path) and not Path(recording).is_file():
        raise ValueError(f"{name}: no such file")
    place = BytesIO(recording) if isinstance(recording, bytes) else recording
    try:
        samples, rate = soundfile.read(place, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise ValueError(f"{name}: cannot be read ({error})") from None
    if not 1_000 <= rate <= 1_000_000:
        raise ValueError(f"{name}: is sampled at {rate} Hz")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: has samples that are NaN or infinite; export it again")
    if not samples.any():
        raise ValueError(f"{name}: is digital silence; there is nothing to judge")
    one = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float64)
    return resampled(one.astype(np.float32), rate)


def _array(known: dict[str, Any]) -> NDArray[np.float64]:
    content = base64.b64decode(known["base64"])
    return np.frombuffer(content, "<f8").reshape(known["shape"])


def main(words: Sequence[str]) -> int:
    """Judge recordings; status 1 where some could not be judged, 2 where the only one."""
    parser = ArgumentParser("amsdf_runtime.py", description="Judge recordings without torch.")
    parser.add_argument("detector", help="a file that `amsdf export` wrote")
    parser.add_argument("recordings", nargs="+", metavar="RECORDING")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for scripts")
    args = parser.parse_args(words)
    failed = 0
    try:
        judge = load(args.detector)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2

    for name in args.recordings:
        try:
            verdict = judge(name)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            failed += 1
            continue
        text = json.dumps({"path": name, **verdict.to_dict()}) if args.json else str(verdict)
        heading = f"{name}:\n" if len(args.recordings) > 1 and not args.json else ""
        sys.stdout.write(f"{heading}{text}\n")
    return (1 if len(args.recordings) > 1 else 2) if failed else 0
