"""`amsdf score`: recordings to a verdict that a lay person understands."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from amsdf.audio.reading import AudioError, fit, read_audio
from amsdf.cli.calibrating import read_calibration
from amsdf.cli.explain import explain, require_explainable
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import Manifest, files_below, find_table, read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference import score_batch
from amsdf.detector.loading import best_device, open_detector
from amsdf.files import make_place
from amsdf.scoring.calibration import Calibration, verdict
from amsdf.scoring.score_files import MAGIC, Scores, write_scores
from amsdf.scoring.scorer import NOT_FINITE, Outcome, describe_detector, write_failed


@dataclass(frozen=True)
class Judged:
    """One recording: its score, and that of each window of a long one, by its start in seconds."""

    utt: str
    score: float
    windows: list[tuple[float, float]]


def run(args: Namespace) -> int:
    """Judge each recording as a whole: the mean over windows of the detector's clip length."""
    recordings = gather(args.inputs)
    if args.out:
        _make_place(Path(args.out))
    name, detector = open_detector(args.detector, args.bonafide_class, args.trust_remote_code)
    detector.to(best_device(args.device))
    if args.explain:
        require_explainable(detector)
    scores: dict[str, float] = {}
    failed: list[tuple[str, str, str]] = []
    try:
        _judge_all(detector, recordings, args, scores, failed)
    finally:  # what is done is kept, also when it is stopped
        if args.out and (scores or failed):
            header = describe_detector(detector, name, args.precision)
            _write(Path(args.out), recordings, scores, header)
            outcome = Outcome(Path(args.out), recordings.name, len(recordings), len(scores), failed)
            write_failed(Path(args.out).with_suffix(".failed.tsv"), [outcome])
    if failed:
        print(f"{len(scores)} scored + {len(failed)} failed = {len(recordings)} listed")
    return 1 if failed else 0


def _make_place(out: Path) -> None:
    """Refuse to write over a recording, a manifest or anything else that is no score file."""
    make_place(out)
    if out.is_file() and out.stat().st_size:
        with out.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC.encode():
                raise ValueError(f"{out}: is there and no score file; give another --out")


def _judge_all(
    detector: Detector,
    recordings: Manifest,
    args: Namespace,
    scores: dict[str, float],
    failed: list[tuple[str, str, str]],
) -> None:
    """Add to `scores` and `failed`, and print, one recording after the other."""
    calibration = read_calibration(Path(args.detector))
    if args.threshold and calibration is None:
        print(f"# --threshold {args.threshold} has no effect: no calibration, so no threshold")
    for line in left_out(args.inputs, recordings):
        print(line)
    for row in recordings.table.iter_rows(named=True):
        try:
            judged, waveform = _judge_row(detector, row, args)
        except AudioError as error:
            if args.strict or len(recordings) == 1:
                raise
            print(error)
            failed.append((row["utt"], row["path"], str(error)))
            continue
        scores[judged.utt] = judged.score
        print("\n".join(lines_of(judged, calibration, args.threshold or "eer")))
        if args.explain:
            print("\n".join(_explanation(detector, judged, waveform)))


def _judge_row(
    detector: Detector, row: Mapping[str, Any], args: Namespace
) -> tuple[Judged, np.ndarray]:
    waveform = read_audio(row["path"], row.get("start"), row.get("end"))
    windows = score_windows(detector, waveform, args.batch_size, args.precision)
    return judged_by(row["utt"], row["path"], windows), waveform


def _explanation(detector: Detector, judged: Judged, waveform: np.ndarray) -> list[str]:
    """Of a long recording, the window that looks worst is explained."""
    scores = [score for _, score in judged.windows]
    starts, clips = cut_windows(waveform, detector)
    worst = int(np.argmin(scores))
    lines = [f"  of the window at {starts[worst]:.1f} s:"] if len(starts) > 1 else []
    return lines + explain(detector, clips[worst])


def gather(inputs: Sequence[str]) -> Manifest:
    """All recordings of some files, folders and manifests; paths tell apart those of one name."""
    tables = [read_manifest(Path(given), labelled=False).table for given in inputs]
    table = pl.concat(tables, how="diagonal_relaxed").unique(maintain_order=True)
    if len(tables) > 1:  # a file, and the folder that it lies in
        same = [column for column in ("path", "start", "end") if column in table.columns]
        table = table.unique(same, keep="first", maintain_order=True)
    if table["utt"].is_duplicated().any():
        table = table.with_columns(utt="path")
    return Manifest("recordings", table)


def left_out(inputs: Sequence[str], recordings: Manifest) -> list[str]:
    """A line for each folder that holds more than its recordings; a manifest is taken at its word.

    Notes of a system, which begin with a dot, do not count.
    """
    taken, lines = set(recordings.table["path"]), []
    for folder in (Path(given) for given in inputs if Path(given).is_dir()):
        files = [file for file in files_below(folder.absolute()) if file.name[0] != "."]
        others = [file for file in files if str(file) not in taken]
        if others and not find_table(folder):
            kinds = sorted({file.suffix.lower() or "no suffix" for file in others})
            shown = f"{', '.join(kinds[:5])}{' …' * (len(kinds) > 5)}"
            lines.append(f"# {len(others)} other files in {folder} left out ({shown})")
    return lines


def judge(detector: Detector, utt: str, path: Path) -> Judged:
    """Score one recording."""
    return judged_by(utt, path, score_windows(detector, read_audio(path)))


def judged_by(utt: str, path: Path | str, windows: list[tuple[float, float]]) -> Judged:
    """The verdict of windows: their mean."""
    score = float(np.mean([score for _, score in windows]))
    if not isfinite(score):
        raise AudioError(path, NOT_FINITE)
    return Judged(utt, score, windows)


def score_windows(
    detector: Detector, waveform: np.ndarray, batch_size: int = 32, precision: str = "fp32"
) -> list[tuple[float, float]]:
    """Start in seconds and score of each window of a waveform (S,)."""
    starts, clips = cut_windows(waveform, detector)
    scores: list[float] = []
    for first in range(0, len(clips), batch_size):
        batch = torch.from_numpy(clips[first : first + batch_size]).to(detector.device)
        scores += score_batch(detector, batch, None, precision)
    return list(zip(starts, scores, strict=True))


def cut_windows(waveform: np.ndarray, detector: Detector) -> tuple[list[float], np.ndarray]:
    """Windows (W, S) that overlap by half, the last one at the end; their starts in seconds."""
    clip = detector.experiment.clip
    samples = clip.samples
    if samples is None or len(waveform) <= samples:
        return [0.0], fit(waveform, clip, samples)[None]
    last = len(waveform) - samples
    starts = [*range(0, last, samples // 2), last]
    windows = np.stack([waveform[start : start + samples] for start in starts])
    return [start / SAMPLE_RATE for start in starts], windows


def lines_of(judged: Judged, calibration: Calibration | None, threshold: str) -> list[str]:
    """The verdict, and where a long recording looks worst."""
    lines = [f"{judged.utt}: score {judged.score:.4f}"]
    if calibration is None:
        lines.append(
            "  no calibration is stored with this detector, so the score only ranks; fit one:"
        )
        lines.append("  import a published file, then `eval --calibrate logistic --on` known clips")
    else:
        probability = float(calibration.to_probability([judged.score])[0])
        cut = calibration.threshold(threshold)
        decision = "accepted as real" if judged.score > cut else "rejected as fake"
        lines.append(f"  {verdict(probability)}")
        lines.append(f"  {decision} at the threshold {cut:.4f} ({threshold} on dev)")
    if len(judged.windows) > 1:
        start, worst = min(judged.windows, key=lambda window: window[1])
        lines.append(
            f"  {len(judged.windows)} windows; the lowest score {worst:.4f} is at {start:.1f} s"
        )
    return lines


def _write(
    path: Path, recordings: Manifest, scores: Mapping[str, float], header: dict[str, str]
) -> None:
    if not scores:
        path.unlink(missing_ok=True)  # else an earlier detector's scores would pass for these
        return
    table = recordings.table.filter(pl.col("utt").is_in(list(scores))).drop("path")
    table = table.with_columns(score=pl.Series(list(scores.values())))
    counts = {"listed": str(len(recordings)), "scored": str(len(scores))}
    write_scores(path, Scores(path.stem, table, {**header, **counts}))
