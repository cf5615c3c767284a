"""Scoring runs: every trial once and in order, nothing lost, nothing stale, resumable, atomic."""

import json

import numpy as np
import polars as pl
import pytest
import soundfile
from command_line import SMALL, amsdf, refused, toy_detector
from toys import tone, toy_corpus, toy_manifest, write_wav

from amsdf.data.manifest import read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference import scores as inference
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring.engines import row_scorer
from amsdf.scoring.score_files.table import read_scores
from amsdf.scoring.scorer import score_all

QUIET = ScoreSettings(batch_size=4, progress=False)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Three good clips of the toy corpus, a detector, and this folder as the current one."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=2)
    toy_detector(tmp_path / "detector", **SMALL)
    return tmp_path


def evaluate(capsys, *words, on="toy/eval"):
    return amsdf(capsys, "eval", "--detector", "detector", "--on", on, "--quiet", *words)


def spoil(place):
    """A corpus of two good clips with one of each unreadable kind between them."""
    bad = place / "bad"
    bad.mkdir()
    (bad / "zero.wav").write_bytes(b"")
    (bad / "random.wav").write_bytes(np.random.default_rng(0).bytes(3000))
    soundfile.write(bad / "nan.wav", np.full(8000, np.nan, np.float32), 16_000, subtype="FLOAT")
    soundfile.write(bad / "silence.wav", np.zeros(8000), 16_000)
    names = ["zero", "random", "nan", "silence", "missing"]
    write_wav(bad / "first.wav", tone(100, noise=0.1))
    write_wav(bad / "last.wav", tone(150))
    rows = ["first.wav,real", *(f"{name}.wav,fake" for name in names), "last.wav,fake"]
    (bad / "manifest.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    return [f"{name}.wav" for name in names]


@pytest.mark.parametrize("batch_size", ["1", "3", "32"])
def test_unreadable_clips_are_set_aside_with_reasons(capsys, place, batch_size):
    bad = spoil(place)
    done = evaluate(capsys, "--batch-size", batch_size, on="bad")
    assert done.status == 1 and "2 scored + 5 failed = 7 listed" in done.out
    failed = pl.read_csv("scores/failed.tsv", separator="\t")
    assert failed["utt"].to_list() == bad and set(failed["corpus"]) == {"bad"}
    reasons = "zero bytes|cannot be decoded|NaN|digital silence|no such file"
    assert [word in row for word, row in zip(reasons.split("|"), failed["reason"], strict=True)]
    scores = read_scores(place / "scores/detector/bad.tsv")
    assert scores.table["utt"].to_list() == ["first.wav", "last.wav"]


def test_clips_that_are_mended_leave_no_list_behind(capsys, place):
    names = spoil(place)
    evaluate(capsys, on="bad")
    for name in names:
        write_wav(place / "bad" / name, tone(120))
    done = evaluate(capsys, on="bad")
    assert done.status == 0 and "7 scored + 0 failed = 7 listed" in done.out
    assert not (place / "scores/failed.tsv").exists()


def test_strict_stops_at_the_first(capsys, place):
    spoil(place)
    words = ("--detector", "detector", "--on", "bad", "--strict", "--quiet")
    line = refused(capsys, "eval", *words, "--batch-size", "2")
    assert line.endswith("zero.wav: has zero bytes; copy or download it again")
    assert not (place / "scores/detector/bad.tsv").exists()


def test_score_judges_what_it_can_and_lists_the_rest(capsys, place):
    bad = spoil(place)
    words = ("score", "bad", "--detector", "detector", "--out", "judged.tsv")
    done = amsdf(capsys, *words)
    assert done.status == 1 and "0 fake, 2 cannot tell, 5 failed" in done.out
    assert pl.read_csv("judged.failed.tsv", separator="\t")["utt"].to_list() == bad
    scores = read_scores(place / "judged.tsv")
    assert scores.table["utt"].to_list() == ["first.wav", "last.wav"]
    assert scores.table["label"].to_list() == [1, 0]
    assert {"detector_hash", "experiment", "precision"} <= set(scores.header)
    assert "zero.wav: has zero bytes" in refused(capsys, *words, "--strict")


def score(detector, manifest, folder, settings):
    (outcome,) = score_all(("d", detector), [manifest], folder, settings)
    return outcome


def test_every_trial_is_scored_once_in_the_order_of_the_manifest(place):
    """Trap: the test loader shuffles and drops the last batch."""
    manifest = toy_manifest(place / "toy", "eval")
    shuffled = type(manifest)(
        manifest.name, manifest.table.sample(fraction=1, shuffle=True, seed=3)
    )
    detector = Detector.from_pretrained("detector")
    outcome = score(detector, shuffled, place, ScoreSettings(3, progress=False))
    table = read_scores(outcome.path).table
    assert table["utt"].to_list() == shuffled.table["utt"].to_list() and outcome.scored == 4
    assert table.columns[:3] == ["utt", "score", "label"]
    assert table["attack"].to_list() == shuffled.table["attack"].to_list()
    alone = score(detector, manifest, place / "alone", ScoreSettings(1, progress=False))
    both = table.join(read_scores(alone.path).table, on="utt", suffix="_alone")
    assert (both["score"] - both["score_alone"]).abs().max() < 1e-5


def test_the_header_says_how_the_scores_came_to_be(capsys, place):
    evaluate(capsys)
    first, columns, *rows = (place / "scores/detector/toy__eval.tsv").read_text().splitlines()
    header = json.loads(first.removeprefix("# amsdf "))
    detector = Detector.from_pretrained("detector")
    assert header["detector_hash"] == detector.digest()
    assert header["experiment"] == detector.experiment.digest()
    assert header["precision"] == "fp32" and header["clip"].startswith("8000 samples")
    assert header["corpus"] == "toy/eval" and header["manifest_hash"]
    assert columns.split("\t")[:3] == ["utt", "score", "label"] and len(rows) == 4


def scored_by(capsys, monkeypatch, *words, status=0):
    """How many clips of each corpus a run of `eval` opens."""
    calls = []
    original = row_scorer.score_rows

    def counted(*args):
        calls.append(len(args[2]))
        return original(*args)

    monkeypatch.setattr(row_scorer, "score_rows", counted)
    assert evaluate(capsys, *words).status == status
    monkeypatch.setattr(row_scorer, "score_rows", original)
    return calls


def test_a_rerun_keeps_the_same_and_replaces_the_stale(capsys, place, monkeypatch):
    """Traps: stale result of another model; score file appended on rerun."""
    path = place / "scores/detector/toy__eval.tsv"
    assert scored_by(capsys, monkeypatch) == [4]
    first, scores = path.read_bytes(), read_scores(path).table["score"].to_list()
    assert scored_by(capsys, monkeypatch) == [] and path.read_bytes() == first
    assert scored_by(capsys, monkeypatch, "--precision", "bf16") == [4]
    other = path.read_bytes()
    assert other != first and b'"precision": "bf16"' in other
    assert len(other.splitlines()) == len(first.splitlines())
    assert scored_by(capsys, monkeypatch) == [4]
    assert read_scores(path).table["score"].to_list() == pytest.approx(scores, rel=1e-6)

    toy_detector(place / "detector", seed=1, **SMALL)
    assert scored_by(capsys, monkeypatch) == [4], "another model of the same name"
    assert path.read_bytes() != first

    text = (place / "toy/manifest.csv").read_text()
    (place / "toy/manifest.csv").write_text(text.replace("A01", "A09"))
    assert scored_by(capsys, monkeypatch) == [4], "another column of the manifest"
    assert "A09" in path.read_text()
    path.write_bytes(path.read_bytes().rpartition(b"eval_1_spoof")[0])
    assert scored_by(capsys, monkeypatch) == [4], "a file cut off"


def test_scores_of_an_earlier_detector_do_not_outlive_a_run_without_any(capsys, place):
    """Trap: stale result of another model."""
    evaluate(capsys)
    for path in (place / "toy/audio").iterdir():
        path.write_bytes(b"")
    toy_detector(place / "detector", seed=1, **SMALL)
    done = evaluate(capsys)
    assert done.status == 1 and "0 scored + 4 failed = 4 listed" in done.out
    assert not (place / "scores/detector/toy__eval.tsv").exists()


class _Killed(BaseException):
    """What a test throws into a running scoring job."""


def test_a_killed_run_goes_on_where_it_was(place, monkeypatch):
    """Killed after two batches, its last line half written."""
    manifest = read_manifest(place / "toy")
    detector = Detector.from_pretrained("detector")
    whole = score(detector, manifest, place / "whole", QUIET)

    seen = []
    original = inference.score_batch

    def killed(*args):
        if len(seen) == 2:
            raise _Killed
        seen.append(len(args[1]))
        return original(*args)

    monkeypatch.setattr(inference, "score_batch", killed)
    with pytest.raises(_Killed):
        score(detector, manifest, place / "killed", QUIET)
    (partial,) = (place / "killed" / "d").iterdir()
    assert partial.name == ".toy.partial.jsonl"
    with partial.open("a") as file:
        file.write('{"8": 0.25, "9": 0.')

    seen.clear()
    monkeypatch.setattr(
        inference, "score_batch", lambda *args: seen.append(len(args[1])) or original(*args)
    )
    resumed = score(detector, manifest, place / "killed", QUIET)
    assert sum(seen) == 4, "8 of 12 were done"
    assert [path.name for path in (place / "killed" / "d").iterdir()] == ["toy.tsv"]
    assert resumed.scored == 12
    tables = [read_scores(outcome.path).table for outcome in (whole, resumed)]
    assert tables[0].drop("score").equals(tables[1].drop("score"))
    assert (tables[0]["score"] - tables[1]["score"]).abs().max() < 1e-5


def test_a_second_run_tries_only_what_failed(capsys, place, monkeypatch):
    """Good results are not made again because one clip was bad, and the weights are hashed once."""
    hashed = []
    original = Detector.digest
    monkeypatch.setattr(Detector, "digest", lambda self: hashed.append(1) or original(self))
    name = next((place / "toy/audio").glob("eval_1*"))
    good = name.read_bytes()
    name.write_bytes(b"")
    assert scored_by(capsys, monkeypatch, status=1) == [4]
    assert scored_by(capsys, monkeypatch, status=1) == [1]
    name.write_bytes(good)
    assert scored_by(capsys, monkeypatch) == [1] and scored_by(capsys, monkeypatch) == []
    table = read_scores(place / "scores/detector/toy__eval.tsv")
    assert table.header["scored"] == table.header["listed"] == "4" and len(hashed) == 4
    assert table.table["utt"].to_list() == sorted(table.table["utt"])


def test_what_another_detector_left_half_done_is_not_taken(place):
    """Trap: stale result of another model, in the unfinished file."""
    manifest = toy_manifest(place / "toy", "eval")
    (place / ".toy__eval.partial.jsonl").write_text('{"detector": "other"}\n{"0": 5.0}\n')
    outcome = score(Detector.from_pretrained("detector"), manifest, place, QUIET)
    assert read_scores(outcome.path).table["score"].max() < 5


def test_scores_that_are_no_numbers_are_set_aside(place, monkeypatch):
    """Traps: EER for NaN scores; fp16 overflow to NaN: fp32 unless asked otherwise, all checked."""
    assert ScoreSettings().precision == "fp32"
    manifest = toy_manifest(place / "toy", "eval")
    detector = Detector.from_pretrained("detector")
    monkeypatch.setattr(
        inference, "score_batch", lambda _, wave, *rest: ([np.nan] * len(wave), wave.numpy())
    )
    outcome = score(detector, manifest, place, QUIET)
    assert outcome.scored == 0 and len(outcome.failed) == 4
    assert "not a finite number" in outcome.failed[0][2]
    with pytest.raises(
        ValueError, match=r"eval_0_bonafide\.wav: the detector's score is not a fin"
    ):
        score(detector, manifest, place, ScoreSettings(strict=True, progress=False))


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(capsys, place, workers):
    assert evaluate(capsys, "--workers", str(workers), "--out", "a").status == 0
    assert evaluate(capsys, "--batch-size", "3", "--out", "b").status == 0
    tables = [read_scores(place / out / "detector/toy__eval.tsv").table for out in "ab"]
    assert (tables[0]["score"] - tables[1]["score"]).abs().max() < 1e-5


def test_parts_of_one_recording_are_scored_each_by_itself(capsys, place):
    """`start` and `end` of a manifest hold for eval and for score."""
    write_wav(place / "long.wav", np.concatenate([tone(100, 0.5, 0.1), tone(200, 0.5, 0.004)]))
    rows = ["a,long.wav,real,0,0.5", "b,long.wav,fake,0.5,"]
    (place / "parts.csv").write_text("\n".join(["utt,path,label,start,end", *rows]) + "\n")
    assert evaluate(capsys, on="parts.csv").status == 0
    words = ("score", "parts.csv", "--detector", "detector", "--out", "judged.tsv")
    assert amsdf(capsys, *words).status == 0
    one = read_scores(place / "scores/detector/parts.tsv").table
    other = read_scores(place / "judged.tsv").table
    assert one["score"][0] != one["score"][1]
    assert (one["score"] - other["score"]).abs().max() < 1e-6


HARD = ["a b", " edges ", "tab\there", 'quo"te', "comma,s", "ünï→", "#hash", "-", "a/b c.wav", "'"]


def test_hard_ids_come_back_as_they_were(capsys, place):
    """Trap: ids with spaces. From manifest to score file to table and back."""
    rows = [
        {"utt": utt, "path": f"toy/audio/eval_{i % 2}_{kind}.wav", "label": kind, "note": utt}
        for i, utt in enumerate(HARD)
        for kind in ("bonafide" if i % 2 else "spoof",)
    ]
    pl.DataFrame(rows).write_csv(place / "hard ids.csv")
    assert evaluate(capsys, "--out", "my scores", on="hard ids.csv").status == 0
    table = read_scores(place / "my scores/detector/hard ids.tsv").table
    assert table["utt"].to_list() == HARD and table["note"].to_list() == HARD
    done = amsdf(capsys, "report", "my scores")
    assert done.status == 0 and "hard ids" in done.out
