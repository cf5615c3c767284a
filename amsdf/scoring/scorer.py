"""Detector x manifest -> score file: atomic, in manifest order, resumable, nothing lost.

While it works, scores are appended to `.<corpus>.partial.jsonl` next to the score file. A second
run with the same detector, manifest and settings goes on from there. Clips that cannot be read are
skipped and listed with their reason; scored + failed = listed. Of several processes each scores its
share, and the first alone writes the score file.
"""

import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import NoReturn, Self, cast

import numpy as np
import polars as pl
import torch
from tqdm import tqdm

from amsdf.data.manifest import Manifest
from amsdf.data.waiting import Waits
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, describe_precision
from amsdf.detector.inference.windows import describe_rule
from amsdf.files import make_folder
from amsdf.scoring.engines.row_scorer import row_scorer
from amsdf.scoring.outcomes import Outcome
from amsdf.scoring.partial_scores import PartialScores
from amsdf.scoring.score_files.table import Scores, read_scores, write_scores
from amsdf.scoring.training_data import KnownCorpora, find_overlap
from amsdf.training.processes import from_main, gather, num_together, place_among
from amsdf.weights import digest_of_tensors


@dataclass(frozen=True)
class Work:
    """What score files are made with."""

    detector: Detector
    settings: ScoreSettings
    #: What decides a score, besides the recording.
    decides: Mapping[str, str]
    #: What the detector knows, which decides no score.
    training: KnownCorpora
    weights: str

    @classmethod
    def of(
        cls,
        named: tuple[str, Detector],
        settings: ScoreSettings,
        training: KnownCorpora | None = None,
    ) -> Self:
        """Of a detector and its name; without `training`, it knows what its experiment says."""
        name, detector = named
        return cls(
            detector,
            settings,
            decides=describe_detector(detector, name, settings),
            training=training or KnownCorpora.named_by(detector.experiment),
            weights=digest_of_tensors(detector.state_dict()),
        )


def score_all(
    named: tuple[str, Detector],
    manifests: Sequence[Manifest],
    out: Path,
    settings: ScoreSettings,
    training: KnownCorpora | None = None,
) -> list[Outcome]:
    """Score files of one detector in the folder of its name below `out`.

    Clips that the same work has scored before are kept.
    """
    folder = out / named[0]
    make_folder(folder)
    work = Work.of(named, settings, training)  # hashes all weights: once
    return [score_manifest(work, manifest, folder) for manifest in manifests]


def score_manifest(work: Work, manifest: Manifest, folder: Path) -> Outcome:
    """Score a manifest into `folder/<corpus>.tsv`, below what decides its numbers; list failures.

    What failed before is tried again, alone.
    """
    job = _Job(work, manifest, score_path(folder, manifest.name))
    rows = from_main(job.open)
    found = gather([job.score(rows)])
    outcome = from_main(lambda: job.finish(found))
    job.partial.remove()
    return outcome


@dataclass
class _Found:
    """What became of some rows: scores, and the reasons of those that failed."""

    rows: "array[int]" = field(default_factory=lambda: array("q"))
    #: As many: their scores.
    scores: "array[float]" = field(default_factory=lambda: array("d"))
    failed: dict[int, str] = field(default_factory=dict)

    def add(
        self, manifest: Manifest, scored: Iterable[tuple[int, float]], bad: list[tuple[int, str]]
    ) -> dict[int, float]:
        """A batch; returns the scores that are numbers."""
        given = dict(scored)
        fresh = {row: score for row, score in given.items() if isfinite(score)}
        paths = manifest.table["path"]
        self.rows.extend(fresh)
        self.scores.extend(fresh.values())
        self.failed |= dict(bad)
        self.failed |= {row: f"{paths[row]}: {NOT_FINITE}" for row in given.keys() - fresh.keys()}
        return fresh


class _Job:
    """The score file of one manifest; `open` and `finish` are the first process's part."""

    def __init__(self, work: Work, manifest: Manifest, path: Path):
        self.work, self.manifest, self.path = work, manifest, path
        corpus = {"corpus": manifest.name, "manifest_hash": manifest.digest}
        self.header = {**work.decides, **corpus}
        place = path.with_name(f".{path.stem}.partial.jsonl")
        self.partial = PartialScores(place, self.header, place_among())
        self.before: Scores | None = None
        #: The score of each row; not-a-number where there is none yet.
        self.done = np.full(len(manifest), np.nan)

    def open(self) -> np.ndarray:
        """The rows that are not scored yet."""
        self.before = _scores_at(self.path, self.header)
        if self.before:
            self.done = _kept(self.before, self.manifest)
        if np.isnan(self.done).any():
            self.partial.read(self.done)
        return np.flatnonzero(np.isnan(self.done))

    def score(self, rows: np.ndarray) -> _Found:
        """Score the share of this process."""
        found = _Found()
        mine = cast("Sequence[int]", rows[place_among() :: num_together()])
        if not len(rows):
            return found
        started, waits = time.monotonic(), Waits()
        settings = replace(self.work.settings, waits=waits)
        with _bar(self, len(mine)) as shown, self.partial:
            score_rows = row_scorer(settings)
            for good, scores, bad in score_rows(self.work.detector, self.manifest, mine, settings):
                fresh = found.add(self.manifest, zip(good, scores, strict=True), bad)
                if found.failed and settings.strict:
                    raise ValueError(found.failed[min(found.failed)])
                self.partial.append(fresh)
                shown.set_postfix_str(waits.words(time.monotonic() - started), refresh=False)
                shown.update(len(good) + len(bad))
        return found

    def finish(self, found: Sequence[_Found]) -> Outcome:
        """Write what all processes have found."""
        failed: dict[int, str] = {}
        for each in found:
            self.done[np.array(each.rows)] = each.scores
            failed |= each.failed
        before = self.before
        about = _known(self.work, self.manifest, before)  # opens files; they were just read
        if before and len(before) == len(self.manifest):
            if before.header != {**before.header, **about}:
                write_scores(self.path, replace(before, header={**before.header, **about}))
            return Outcome(self.path, self.manifest.name, len(before), len(before), [])
        return _finish(self.path, self.manifest, {**self.header, **about}, self.done, failed)


def _bar(job: _Job, num_mine: int) -> "tqdm[NoReturn]":
    """Counts the clips of this process's share; shown by the first one alone."""
    num_done = int(np.count_nonzero(~np.isnan(job.done)))
    return tqdm(
        total=num_done + num_mine,
        initial=num_done,
        desc=job.manifest.name,
        unit="clip",
        disable=not job.work.settings.progress or place_among() > 0,
    )


def _scores_at(path: Path, header: Mapping[str, str]) -> Scores | None:
    """What `path` holds, if detector, manifest and settings are the same."""
    if not path.is_file():
        return None
    try:
        scores = read_scores(path)
    except ValueError:
        return None  # not ours or cut off: it is written again
    expected = {**header, "scored": str(len(scores))}
    if {key: value for key, value in scores.header.items() if key in expected} != expected:
        return None
    return scores


def _kept(before: Scores, manifest: Manifest) -> np.ndarray:
    """The score of each row (n,), not-a-number where there is none."""
    scores = before.table.select("utt", "score")
    joined = manifest.table.select("utt").join(scores, on="utt", how="left", maintain_order="left")
    return joined["score"].cast(pl.Float64).fill_null(np.nan).to_numpy(writable=True)


def _known(work: Work, manifest: Manifest, before: Scores | None) -> dict[str, str]:
    """What the detector knows, and of this manifest; found before, it is not looked for again."""
    about = {"weights": work.weights, **work.training.header()}
    found = {key: before.header.get(key) for key in about} if before else {}
    if before and found == about and "overlap" in before.header:
        return {key: before.header[key] for key in (*about, "overlap", "overlap_detail")}
    overlap = find_overlap(work.training, manifest)
    return {**about, "overlap": overlap.mark, "overlap_detail": overlap.detail}


NOT_FINITE = "the detector's score is not a finite number"


def _finish(
    path: Path,
    manifest: Manifest,
    header: Mapping[str, str],
    done: np.ndarray,
    failed: dict[int, str],
) -> Outcome:
    num_done = int(np.count_nonzero(~np.isnan(done)))
    if num_done:
        counts = {"listed": str(len(manifest)), "scored": str(num_done)}
        table = manifest.table.drop("path").with_columns(score=pl.Series(done))
        table = table.filter(pl.col("score").is_not_nan())
        first = ["utt", "score", "label"]
        write_scores(
            path,
            Scores(manifest.name, table.select(*first, pl.exclude(first)), {**header, **counts}),
        )
    else:
        path.unlink(missing_ok=True)  # else an earlier detector's scores would pass for these
    listed = [
        (manifest.table["utt"][row], manifest.table["path"][row], failed[row])
        for row in sorted(failed)
    ]
    return Outcome(path, manifest.name, len(manifest), num_done, listed)


def write_recordings(
    path: Path, recordings: Manifest, scores: Mapping[str, float], header: Mapping[str, str]
) -> None:
    """Write the scores, by id, of those recordings that have one."""
    if not scores:
        path.unlink(missing_ok=True)  # else an earlier detector's scores would pass for these
        return
    table = recordings.table.filter(pl.col("utt").is_in(list(scores))).drop("path")
    table = table.with_columns(score=pl.Series(list(scores.values())))
    counts = {"listed": str(len(recordings)), "scored": str(len(scores))}
    write_scores(path, Scores(path.stem, table, {**header, **counts}))


def score_path(folder: Path, corpus: str) -> Path:
    """Where the scores of a corpus are."""
    return folder / f"{corpus.replace('/', '__')}.tsv"


def describe_detector(detector: Detector, name: str, settings: ScoreSettings) -> dict[str, str]:
    """What else, besides the recording, decides its score."""
    return {
        "detector": name,
        "detector_hash": detector.digest(),
        "experiment": detector.experiment.digest(),
        "clip": describe_rule(detector.experiment),
        "precision": describe_precision(detector, settings),
        "score_rule": settings.score_rule,
        "seed": str(detector.experiment.seed),
        "torch": torch.__version__,
    }
