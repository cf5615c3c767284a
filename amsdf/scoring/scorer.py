"""Detector x manifest -> score file: atomic, in manifest order, resumable, nothing lost.

While it works, scores are appended to `.<corpus>.partial.jsonl` next to the score file. A second
run with the same detector, manifest and settings goes on from there. Clips that cannot be read are
skipped and listed with their reason; scored + failed = listed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Self

import polars as pl
import torch
from tqdm import tqdm

from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference import ScoreSettings, score_rows
from amsdf.detector.windows import describe_rule
from amsdf.files import make_folder, write_atomically
from amsdf.scoring.partial_scores import PartialScores
from amsdf.scoring.score_files import Scores, read_scores, write_scores
from amsdf.scoring.training_data import KnownCorpora, find_overlap
from amsdf.weights import digest_of_tensors

_FAILED = ("corpus", "utt", "path", "reason")


@dataclass(frozen=True)
class Outcome:
    """What became of a manifest: `failed` lists (utt, path, reason)."""

    path: Path
    corpus: str
    listed: int
    scored: int
    failed: list[tuple[str, str, str]]


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
    path = score_path(folder, manifest.name)
    header = {**work.decides, "corpus": manifest.name, "manifest_hash": manifest.digest}
    before = _scores_at(path, header)
    done = _kept(before, manifest)
    if before and len(done) == len(manifest):
        about = _known(work, manifest, before)
        if before.header != {**before.header, **about}:
            write_scores(path, replace(before, header={**before.header, **about}))
        return Outcome(path, manifest.name, len(manifest), len(done), [])
    partial = PartialScores(path.with_name(f".{path.stem}.partial.jsonl"), header)
    done |= partial.read()
    failed = _score_rest(work, manifest, done, partial)
    about = _known(work, manifest, before)  # opens every file: quick now that they were read
    outcome = _finish(path, manifest, {**header, **about}, done, failed)
    partial.remove()
    return outcome


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


def _kept(before: Scores | None, manifest: Manifest) -> dict[int, float]:
    """Row -> score."""
    if before is None:
        return {}
    rows = {utt: row for row, utt in enumerate(manifest.table["utt"])}
    return {rows[utt]: score for utt, score in before.table.select("utt", "score").iter_rows()}


def _known(work: Work, manifest: Manifest, before: Scores | None) -> dict[str, str]:
    """What the detector knows, and of this manifest; found before, it is not looked for again."""
    about = {"weights": work.weights, **work.training.header()}
    found = {key: before.header.get(key) for key in about} if before else {}
    if before and found == about and "overlap" in before.header:
        return {key: before.header[key] for key in (*about, "overlap", "overlap_detail")}
    overlap = find_overlap(work.training, manifest)
    return {**about, "overlap": overlap.mark, "overlap_detail": overlap.detail}


def _score_rest(
    work: Work, manifest: Manifest, done: dict[int, float], partial: PartialScores
) -> dict[int, str]:
    """Add the scores of all rows that are not `done`; returns the reasons of those that failed."""
    settings = work.settings
    failed: dict[int, str] = {}
    rows = [row for row in range(len(manifest)) if row not in done]
    shown = tqdm(
        total=len(manifest),
        initial=len(done),
        desc=manifest.name,
        unit="clip",
        disable=not settings.progress,
    )
    with shown, partial:
        for good, scores, bad in score_rows(work.detector, manifest, rows, settings):
            finite = {
                row: score for row, score in zip(good, scores, strict=True) if isfinite(score)
            }
            done |= finite
            failed |= dict(bad)
            failed |= {
                row: f"{manifest.table['path'][row]}: {NOT_FINITE}"
                for row in good
                if row not in finite
            }
            if failed and settings.strict:
                raise ValueError(failed[min(failed)])
            partial.append(finite)
            shown.update(len(good) + len(bad))
    return failed


NOT_FINITE = "the detector's score is not a finite number"


def _finish(
    path: Path,
    manifest: Manifest,
    header: Mapping[str, str],
    done: dict[int, float],
    failed: dict[int, str],
) -> Outcome:
    if done:
        rows = sorted(done)
        counts = {"listed": str(len(manifest)), "scored": str(len(done))}
        table = (
            manifest.table[rows]
            .drop("path")
            .with_columns(score=pl.Series([done[row] for row in rows], dtype=pl.Float64))
        )
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
    return Outcome(path, manifest.name, len(manifest), len(done), listed)


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
        "precision": settings.precision,
        "score_rule": settings.score_rule,
        "seed": str(detector.experiment.seed),
        "torch": torch.__version__,
    }


def summary_of(outcomes: Sequence[Outcome], out: Path) -> tuple[list[str], int]:
    """What was set aside, in words and as an exit status; `out/failed.tsv` lists it.

    Scored and failed clips add up to the listed ones.
    """
    write_failed(out / "failed.tsv", outcomes)
    failed = sum(len(outcome.failed) for outcome in outcomes)
    listed = sum(outcome.listed for outcome in outcomes)
    scored = sum(outcome.scored for outcome in outcomes)
    lines = [f"{scored} scored + {failed} failed = {listed} listed; scores in {out}"]
    if failed:
        lines.append(f"what failed, with reasons: {out / 'failed.tsv'}")
    return lines, 1 if failed else 0


def write_failed(path: Path, outcomes: Sequence[Outcome]) -> None:
    """All clips set aside, with reasons; removed when there are none.

    What an earlier run listed of other corpora stays.
    """
    rows = [(outcome.corpus, *failure) for outcome in outcomes for failure in outcome.failed]
    table = pl.DataFrame(rows, schema=dict.fromkeys(_FAILED, pl.String), orient="row").unique(
        maintain_order=True
    )
    if path.is_file():
        earlier = pl.read_csv(path, separator="\t", infer_schema=False)
        here = [outcome.corpus for outcome in outcomes]
        if earlier.columns == list(_FAILED):
            table = pl.concat([earlier.filter(~pl.col("corpus").is_in(here)), table])
    if not len(table):
        path.unlink(missing_ok=True)
        return
    write_atomically(path, lambda temporary: table.write_csv(temporary, separator="\t"))
