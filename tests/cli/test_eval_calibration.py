"""`eval --calibrate-on`: fitted on other clips than those under test, and kept where asked for."""

import json

import pytest
from command_line import SMALL, amsdf, files_below, refused, toy_calibration, toy_detector
from toys import toy_corpus

from amsdf.evaluation.cross_evaluation import EvaluationSettings, evaluate
from amsdf.scoring.calibration.calibration import read_calibration
from amsdf.scoring.judging.judge import load
from amsdf.scoring.score_files.table import read_scores


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A toy corpus, a detector, and this folder as the current one."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=3)
    toy_detector(tmp_path / "detector", **SMALL)
    return tmp_path


WORDS = ("eval", "--detector", "detector", "--quiet", "--on", "toy/eval")
FITTED = (*WORDS, "--calibrate-on", "toy/dev")


def digest_of(place, corpus):
    return read_scores(place / f"scores/detector/{corpus}.tsv").header["manifest_hash"]


def test_a_way_to_fit_without_clips_to_fit_on_is_refused(capsys, place):
    line = refused(capsys, *WORDS, "--calibrate", "isotonic")
    assert "--calibrate isotonic: on what? Give --calibrate-on CORPUS" in line
    assert "add --calibrate-on" in refused(capsys, *WORDS, "--store-calibration")
    assert not (place / "scores").exists()


@pytest.mark.parametrize("how", [(), ("--calibrate", "isotonic")])
def test_it_is_used_and_kept_beside_the_scores_alone(capsys, place, how):
    before = files_below(place / "detector")
    done = amsdf(capsys, *FITTED, *how)
    assert done.status == 0 and "12 scored + 0 failed = 12 listed" in done.out
    assert files_below(place / "detector") == before
    used = read_calibration(place / "scores/detector")
    assert used.method == (how or ("logistic",))[-1]
    assert used.dev.corpora == ("toy/dev",) and used.dev.num_spoof == 3
    on_dev = read_scores(place / "scores/calibration/detector/toy__dev.tsv").header
    assert used.manifests == {"toy/dev": on_dev["manifest_hash"]}
    assert (used.rule, used.weights) == (on_dev["clip"], on_dev["weights"])
    assert not used.fitted_on_manifest(digest_of(place, "toy__eval"))
    assert "toy/dev" not in (place / "scores/matrix.csv").read_text()


def test_it_is_stored_when_asked_for_and_the_older_one_is_kept(capsys, place):
    older = toy_calibration(place / "detector", [1, 2, 3], [0, 1, 2])
    assert amsdf(capsys, *FITTED, "--store-calibration").status == 0
    stored = read_calibration(place / "detector")
    assert stored == read_calibration(place / "scores/detector") != older
    assert load("detector").calibration == stored, "it is of these weights and this rule"
    (kept,) = (place / "detector").glob("calibration.before-*.json")
    assert kept.read_text() == older.to_json()


def test_sets_that_hold_its_clips_count_as_fitted_on(capsys, place):
    """Under whatever name: the whole corpus holds its dev part."""
    assert amsdf(capsys, *FITTED, "toy", "--on", "toy", "toy/eval").status == 0
    used = read_calibration(place / "scores/detector")
    assert used.fitted_on_manifest(digest_of(place, "toy"))
    assert set(used.manifests) == {"toy/dev", "toy", "toy/eval"}
    assert amsdf(capsys, *FITTED, "--on", "toy", "toy/eval").status == 0
    used = read_calibration(place / "scores/detector")
    assert used.fitted_on_manifest(digest_of(place, "toy")) and used.dev.corpora == ("toy/dev",)
    assert not used.fitted_on_manifest(digest_of(place, "toy__eval"))


def test_what_is_beside_the_scores_is_what_was_used_last(capsys, place):
    assert amsdf(capsys, *FITTED).status == 0
    assert amsdf(capsys, *WORDS).status == 0
    assert not (place / "scores/detector/calibration.json").exists(), "none was used"
    own = toy_calibration(place / "detector", [1, 2, 3], [0, 1, 2])
    assert amsdf(capsys, *WORDS).status == 0
    assert read_calibration(place / "scores/detector") == own
    found = evaluate(["detector"], ["toy/eval"])
    assert found.calibrations == {"detector": own}
    settings = EvaluationSettings(calibrate_on=["toy/dev"], calibrate="isotonic")
    found = evaluate(["detector"], ["toy/eval"], settings=settings)
    assert found.calibrations["detector"].method == "isotonic"


def test_a_bound_that_needs_more_fakes_is_refused_before_the_work(capsys, place):
    line = refused(capsys, *FITTED, "--threshold", "far-5%")
    assert line == "amsdf eval: far-5% needs at least 59 fakes; calibrated on 3"
    toy_calibration(place / "detector", [900, 901], range(298))
    expected = "far-1% needs at least 299 fakes; calibrated on 298"
    assert expected in refused(capsys, *WORDS, "--threshold", "far-1%")
    clip = place / "toy/audio/eval_0_spoof.wav"
    score = ("score", clip, "--detector", "detector", "--threshold")
    assert expected in refused(capsys, *score, "far-1%")
    assert not (place / "scores").exists()
    point = read_calibration(place / "detector").point("far-5%")
    said = f"'far-5%': fake up to {point.fake_below:.4f}, real from {point.real_above:.4f}"
    assert said in amsdf(capsys, *score, "far-5%", "--verbose").out


def test_calibration_that_cannot_be_says_so(capsys, place):
    """Where nothing could be scored in one line; for a single file before anything is scored."""
    (place / "net.pth").write_bytes(b"weights")
    words = ("eval", "--quiet", "--on", "toy/eval", "--calibrate-on", "toy/dev", "--detector")
    assert "import it first" in refused(capsys, *words, "net.pth", "--store-calibration")
    toy_corpus(place / "one", clips=2)
    table = (place / "one/manifest.csv").read_text().replace(",spoof,", ",bonafide,")
    (place / "one/manifest.csv").write_text(table)
    line = refused(capsys, *WORDS, "--calibrate-on", "one/dev")
    assert "4 bona fide and 0 spoof utterances" in line
    assert not (place / "scores").exists()
    for path in (place / "toy/audio").glob("dev_*"):
        path.write_bytes(b"")
    done = amsdf(capsys, *words, "detector")
    assert done.status == 2 and "bona fide" in done.err and len(done.err.splitlines()) == 1
    assert "6 scored + 6 failed = 12 listed" in done.out
    assert (place / "scores/failed.tsv").read_text().count("toy/dev") == 6


def test_clips_of_training_make_it_too_sure_and_it_says_so(capsys, place):
    """By name alone here: the detector comes without `training_data.json`."""
    done = amsdf(capsys, *WORDS, "--calibrate-on", "toy/train")
    assert "# detector: is calibrated on what it was trained on (toy/train (train), by" in done.out
    assert "too sure" not in amsdf(capsys, *FITTED).out


def test_a_calibration_of_other_weights_is_refused(capsys, place):
    toy_calibration(place / "detector", [1, 2, 3], [0, 1, 2])
    file = place / "detector/calibration.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "weights": "000000000000"}))
    assert "calibration.json is of other weights; fit it again" in refused(capsys, *WORDS)
