"""What the Arena would rank as nonsense is refused before anybody ranks it.

Traps: stale result of another model; EER for NaN scores; ids with spaces.
"""

import polars as pl
import pytest
import yaml
from arena_bundles import SAID, arena, detector_and_corpus, read_bundle
from command_line import SMALL, refused, toy_detector
from toys import toy_corpus, toy_manifest

from amsdf.detector.detector import Detector
from amsdf.scoring.training_data import KnownCorpora


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return detector_and_corpus(tmp_path)


def test_ids_that_white_space_would_split_are_refused(capsys, place):
    table = pl.read_csv(place / "toy/manifest.csv")
    for utt in ("a b", "a\u00a0b", " a"):
        odd = table.with_columns(utt=pl.col("utt").replace("eval_1_spoof", utt))
        odd.write_csv(place / "toy/manifest.csv")
        line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b")
        assert f"1 ids are empty or hold white space, first {utt!r}" in line
    assert not (place / "b").exists()


@pytest.mark.parametrize(
    ("corpus", "what"), [("toy/train", "trained"), ("toy/dev", "chosen"), ("toy", "trained")]
)
def test_a_corpus_that_the_detector_knows_is_refused(capsys, place, corpus, what):
    line = refused(capsys, "arena", "mine", corpus, "--out", "b")
    assert f"{corpus}: mine was {what} on toy/" in line and not (place / "b").exists()


def test_clips_that_the_detector_knows_are_refused_under_another_name(capsys, place):
    KnownCorpora.of([toy_manifest(place / "toy", "train")], []).save(place / "mine")
    table = pl.read_csv(place / "toy/manifest.csv")
    own = pl.concat([table.filter(pl.col("split") == "eval"), table[:1]])
    own.drop("speaker").write_csv(place / "toy/renamed.csv")
    line = refused(capsys, "arena", "mine", "toy/renamed.csv", "--out", "b")
    assert "renamed: mine has seen of 9 clips, 1 in toy/train (train)" in line


def test_one_class_is_refused(capsys, place):
    table = pl.read_csv(place / "toy/manifest.csv").filter(pl.col("label") == "spoof")
    table.write_csv(place / "toy/fakes.csv")
    line = refused(capsys, "arena", "mine", "toy/fakes.csv", "--out", "b")
    assert "0 bona fide and 12 spoof utterances" in line


def test_results_of_another_detector_or_corpus_are_refused(capsys, place):
    """Trap 'stale result of another model'."""
    arena(capsys, "mine", "toy/eval", "--out", "b")
    before = (place / "b/scores.txt").read_bytes()
    toy_detector(place / "other", seed=1, **SMALL)
    line = refused(capsys, "arena", "other", "toy/eval", "--out", "b")
    assert "b: holds scores of another detector" in line
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b", "--score-rule", "published")
    assert "b: holds scores of another score_rule" in line
    table = pl.read_csv(place / "toy/manifest.csv")
    table.filter(pl.col("split") == "eval").write_csv(place / "more.csv")
    assert "holds toy__eval.tsv" in refused(capsys, "arena", "mine", "more.csv", "--out", "b")
    table.filter(pl.col("utt") != "eval_0_spoof").write_csv(place / "toy/manifest.csv")
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b")
    assert "another version of the corpus" in line
    assert (place / "b/scores.txt").read_bytes() == before
    (place / "c").mkdir()
    (place / "c/result.yaml").write_text("{}")
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "c")
    assert "c: holds result.yaml without its scores" in line


def test_scores_that_are_no_numbers_are_refused(capsys, place, monkeypatch):
    """Trap 'EER for NaN scores'."""
    fuse = Detector.fuse
    monkeypatch.setattr(
        Detector, "fuse", lambda *given, **named: fuse(*given, **named) * float("nan")
    )
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b", "--quiet")
    assert "8 scores are not finite numbers, first of 'eval_0_bonafide'" in line
    assert not (place / "b/scores.txt").exists()


def test_a_few_clips_may_be_skipped_and_not_more(capsys, place):
    """5 % is the Arena's own limit; trials are scored and skipped ones together."""
    toy_corpus(place / "big", clips=10)
    (place / "big/audio/eval_3_spoof.wav").write_bytes(b"no sound")
    done = arena(capsys, "mine", "big/eval", "--out", "b", *SAID)
    assert done.status == 1 and "1 skipped" in done.out, done
    content = yaml.safe_load((place / "b/submission.yaml").read_text("utf-8"))
    assert (content["scores"]["n_trials"], content["scores"]["n_skipped"]) == (20, 1)
    assert len(read_bundle(place / "b")[0]) == 19
    (place / "big/audio/eval_4_spoof.wav").write_bytes(b"no sound")
    line = refused(capsys, "arena", "mine", "big/eval", "--out", "c", "--quiet")
    assert "big/eval: 2 of 20 clips could not be scored, more than 5 %" in line
    assert not (place / "c/scores.txt").exists()
