"""`amsdf score`: recordings to a verdict that a lay person understands."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import polars as pl
import torch

from amsdf.audio import AudioError, fit, read_audio
from amsdf.calibration import Calibration, verdict
from amsdf.commands.eval import read_calibration
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import read_manifest
from amsdf.detector import Detector
from amsdf.opening import best_device, open_detector
from amsdf.scores import Scores, write_scores


@dataclass(frozen=True)
class Judged:
    """One recording: its score, and that of each window of a long one, by its start in seconds."""

    utt: str
    score: float
    windows: list[tuple[float, float]]


def run(args: Namespace) -> int:
    """Judge each recording as a whole: the mean over windows of the detector's clip length."""
    name, detector = open_detector(args.detector, args.bonafide_class)
    detector.to(best_device(args.device))
    calibration = read_calibration(Path(args.detector))
    judged, failed = [], 0
    for utt, path in _recordings(args.inputs):
        try:
            judged.append(judge(detector, utt, path, args.batch_size))
        except AudioError as error:
            if args.strict or (len(args.inputs) == 1 and Path(args.inputs[0]).is_file()):
                raise
            print(f"{error}")
            failed += 1
            continue
        print("\n".join(lines_of(judged[-1], calibration)))
        if args.explain:
            print("\n".join(explain(detector, path)))
    if args.out and judged:
        _write(Path(args.out), judged, name)
    if failed:
        print(f"{len(judged)} scored + {failed} failed = {len(judged) + failed} listed")
    return 1 if failed else 0


def _recordings(inputs: list[str]) -> Iterator[tuple[str, Path]]:
    for given in inputs:
        table = read_manifest(Path(given), labelled=False).table
        for utt, path in table.select("utt", "path").iter_rows():
            yield utt, Path(path)


def judge(detector: Detector, utt: str, path: Path, batch_size: int = 32) -> Judged:
    """Score a recording, window by window when it is longer than the detector's clip."""
    waveform = read_audio(path)
    starts, clips = cut_windows(waveform, detector)
    scores: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(clips), batch_size):
            batch = torch.from_numpy(clips[first : first + batch_size]).to(detector.device)
            scores += detector.score(batch).float().cpu().tolist()
    if not all(isfinite(score) for score in scores):
        raise AudioError(path, "the detector's score is not a finite number")
    return Judged(utt, float(np.mean(scores)), list(zip(starts, scores, strict=True)))


def cut_windows(waveform: np.ndarray, detector: Detector) -> tuple[list[float], np.ndarray]:
    """Windows (W, S) that overlap by half, the last one at the end; their starts in seconds."""
    clip = detector.experiment.clip
    samples = clip.samples or len(waveform)
    if len(waveform) <= samples:
        return [0.0], fit(waveform, clip, samples)[None]
    last = len(waveform) - samples
    starts = [*range(0, last, samples // 2), last]
    windows = np.stack([waveform[start : start + samples] for start in starts])
    return [start / SAMPLE_RATE for start in starts], windows


def lines_of(judged: Judged, calibration: Calibration | None) -> list[str]:
    """The verdict, and where a long recording looks worst."""
    lines = [f"{judged.utt}: score {judged.score:.4f}"]
    if calibration is None:
        lines.append("  no calibration is stored with this detector, so the score only ranks")
    else:
        probability = float(calibration.to_probability([judged.score])[0])
        lines.append(f"  {verdict(probability)}")
    if len(judged.windows) > 1:
        start, worst = min(judged.windows, key=lambda window: window[1])
        lines.append(
            f"  {len(judged.windows)} windows; the lowest score {worst:.4f} is at {start:.1f} s"
        )
    return lines


def explain(detector: Detector, path: Path) -> list[str]:
    """Per view: how far the score moves when the view is taken away."""
    if not hasattr(detector.head, "explain"):
        name = detector.experiment.head.name
        raise ValueError(f"--explain: head {name!r} explains nothing; graph-fusion does")
    _, clips = cut_windows(read_audio(path), detector)
    with torch.inference_mode():
        views, masks = detector.views(torch.from_numpy(clips[:1]).to(detector.device))
        explain_head = detector.head.explain
        found = explain_head(views, masks)
        whole = detector.loss.score(found["embedding"])
        return [
            f"  without view {name}: score {float(detector.loss.score(embedding) - whole):+.4f}"
            for name, embedding in found["occluded"].items()
        ]


def _write(path: Path, judged: list[Judged], name: str) -> None:
    table = pl.DataFrame({"utt": [j.utt for j in judged], "score": [j.score for j in judged]})
    write_scores(path, Scores(path.stem, table, {"detector": name}))
