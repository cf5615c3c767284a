"""Calibration: what probabilities mean, thresholds from dev, JSON, the sentence for lay people."""

import json

import numpy as np
import pytest
from command_line import SMALL, amsdf, refused, toy_calibration, toy_detector
from kept_files import golden_path
from toys import toy_corpus

from amsdf.metrics import act_dcf, cllr, eer, min_cllr, min_dcf
from amsdf.scoring.calibration.calibration import Calibration, read_calibration
from amsdf.scoring.calibration.fits import fit_isotonic, fit_logistic
from amsdf.scoring.calibration.points import OperatingPoint
from amsdf.scoring.calibration.thresholds import choose_operating_point, choose_thresholds
from amsdf.scoring.judging.judge import load

FITS = [fit_logistic, fit_isotonic]


def gaussian(num=20_000, seed=0):
    """Scores whose log-likelihood ratio is 4 * score: means ±1, variance 1/2."""
    generator = np.random.default_rng(seed)
    return generator.normal(1, 0.5**0.5, num), generator.normal(-1, 0.5**0.5, num // 2)


def golden():
    with np.load(golden_path("metrics/asvspoof5_tool_dev.npz")) as arrays:
        scores, label = arrays["cm_score"].astype(np.float64), arrays["sasv_label"]
    return scores[label != 0], scores[label == 0]


@pytest.mark.parametrize("fit", FITS)
def test_cllr_of_real_scores_comes_down_to_its_minimum(fit):
    real, fake = (3 * scores - 20 for scores in golden())
    llrs = [fit(real, fake).to_llr(scores) for scores in (real, fake)]
    least = min_cllr(real, fake)
    assert cllr(real, fake) > 10 * least
    assert least - 1e-9 <= cllr(*llrs) < least + 0.003
    assert act_dcf(*llrs) < min_dcf(real, fake) + 0.01


@pytest.mark.parametrize("fit", FITS)
def test_known_log_likelihood_ratios_are_found(fit):
    calibration = fit(*gaussian())
    at = np.array([-0.8, -0.3, 0.0, 0.3, 0.8])
    assert calibration.to_llr(at) == pytest.approx(4 * at, abs=0.45)
    assert calibration.to_probability([0.0])[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("prior", [0.1, 0.5, 0.9])
def test_prior_moves_probabilities_not_ratios(prior):
    calibration = fit_logistic(*gaussian(), prior=prior)
    assert calibration.to_llr([0.5])[0] == pytest.approx(2, abs=0.1)
    odds = prior / (1 - prior) * np.exp(calibration.to_llr([0.5])[0])
    assert calibration.to_probability([0.5])[0] == pytest.approx(odds / (1 + odds))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    "dev", [([2, 3, 4], [-1, 0, 1]), ([1], [0]), ([5, 5, 5], [5, 5]), ([0, 1], [2, 3])]
)
def test_small_separable_equal_and_inverted_dev_stay_finite_and_monotone(fit, dev):
    llrs = fit(*dev).to_llr(np.linspace(-1e6, 1e6, 101))
    assert np.isfinite(llrs).all() and (np.diff(llrs) >= 0).all()


@pytest.mark.parametrize("fit", FITS)
def test_inverted_dev_is_not_turned_round(fit):
    """Trap: min(EER, flipped EER): calibration must not repair the polarity in silence."""
    fake, real = gaussian(2000)
    llrs = fit(real, fake).to_llr([-2.0, 2.0])
    assert llrs == pytest.approx([0, 0], abs=0.1)


@pytest.mark.parametrize("fit", FITS)
def test_json_round_trip_is_exact(fit):
    calibration = fit(*golden(), prior=0.3)
    back = Calibration.from_json(calibration.to_json())
    assert back == calibration
    scores = np.random.default_rng(1).normal(0, 8, 500)
    assert (back.to_llr(scores) == calibration.to_llr(scores)).all()


@pytest.mark.parametrize("text", ["not json", "[1]", '{"method": "logistic"}'])
def test_broken_json_is_refused(text):
    with pytest.raises(ValueError, match=r"not JSON|has the keys"):
        Calibration.from_json(text)


@pytest.mark.parametrize(
    "odd", [{"thresholds": [1]}, {"manifests": 3}, {"promise": [5, 6]}, {"operating_point": 7}]
)
def test_a_damaged_file_is_named(tmp_path, odd):
    whole = json.loads(fit_logistic([1, 2], [0, 1]).to_json())
    (tmp_path / "calibration.json").write_text(json.dumps({**whole, **odd}))
    with pytest.raises(ValueError, match=r"calibration\.json: .*; delete it, or train again"):
        read_calibration(tmp_path)


def test_thresholds_by_hand():
    real, fake = [1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 0.5, 2.5]
    chosen = choose_thresholds(real, fake, far={"most": 0.6, "quarter": 0.25})
    assert chosen == {"eer": 1.0, "most": 2.5, "cost": 0.5}, "four fakes promise no quarter"


def test_the_operating_point_by_hand():
    real = [0.1, *[0.7] * 9, *[0.9] * 10]
    fake = [*[0.05] * 7, 0.75, 0.8, 0.95]
    point = choose_operating_point(real, fake)
    assert point.fake_below == 0.5, "one of 20 real clips is at or below it, 5 %"
    assert point.real_above == np.nextafter(0.75, 1), "two of ten fakes are above it, 20 %"
    strict = choose_operating_point(real, fake, real_lost=0, fakes_passed=0)
    assert strict.fake_below == np.nextafter(0.1, 0)
    assert strict.real_above == np.nextafter(0.95, 1)
    assert [strict.decide(p) for p in (0.05, 0.1, 0.95, 0.96)] == [
        *("fake", "cannot tell", "cannot tell", "real")
    ]


def test_classes_far_apart_are_cut_in_the_middle():
    point = choose_operating_point([0.9, 0.95], [0.1, 0.2])
    assert point.fake_below == 0.5 and point.real_above == pytest.approx(0.55)
    point = choose_operating_point([0.6, 0.7], [0.1, 0.2])
    assert (point.fake_below, point.real_above) == (pytest.approx(0.4), 0.5)


def test_an_operating_point_is_two_probabilities_in_order():
    with pytest.raises(ValueError, match=r"fake_below 0\.6 and real_above 0\.4 must be"):
        OperatingPoint("mine", 0.6, 0.4)


def test_without_evidence_nothing_is_called_real_or_fake():
    """An inverted dev set has a flat calibration: all probabilities are equal."""
    flat = fit_logistic([0, 1, 2], [3, 4, 5])
    for name in (None, "eer"):
        assert flat.point(name).decide(flat.to_probability([9.0])[0]) == "cannot tell"


def test_thresholds_keep_what_they_promise():
    real, fake = golden()
    calibration = fit_logistic(real, fake)
    assert calibration.threshold("eer") == eer(real, fake).threshold
    cut = np.nextafter(calibration.threshold("cost"), np.inf)  # act_dcf accepts what is equal
    assert act_dcf(real, fake, threshold=cut) == pytest.approx(min_dcf(real, fake), abs=1e-4)
    with pytest.raises(ValueError, match=r"no threshold named 'eeer'. Did you mean 'eer'\?"):
        calibration.threshold("eeer")


@pytest.mark.parametrize(
    ("real", "fake", "prior", "message"),
    [
        ([], [1], 0.5, "needs bona fide development scores"),
        ([1], [], 0.5, "needs spoof development scores"),
        ([1, float("nan")], [0], 0.5, "bona fide development score is NaN or infinite"),
        ([1], [0], 1.0, "prior 1.0 is not between 0 and 1"),
    ],
)
@pytest.mark.parametrize("fit", FITS)
def test_unusable_dev_is_refused(fit, real, fake, prior, message):
    with pytest.raises(ValueError, match=message):
        fit(real, fake, prior)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        fit_logistic([1], [0]).to_llr([float("inf")])


def test_a_calibration_of_another_rule_is_refused(tmp_path, capsys):
    """And fitted anew by the remedy that the message names."""
    toy_corpus(tmp_path / "toy", clips=4)
    folder = toy_detector(tmp_path / "d", **SMALL)
    toy_calibration(folder, [1, 2, 3], [0, 1, 2])
    file = folder / "experiment.yaml"
    file.write_text(file.read_text().replace("parts: first", "parts: windows"))
    clip = str(tmp_path / "toy/audio/eval_0_spoof.wav")
    line = refused(capsys, "score", clip, "--detector", folder)
    assert "calibration.json: is for 8000 samples, short: repeat, crop: start; the detector" in line
    assert "scores windows of 8000 samples" in line and "fit it again: eval --calibrate" in line
    words = ("eval", "--detector", folder, "--on", tmp_path / "toy/eval", "--quiet")
    assert "fit it again" in refused(capsys, *words, "--out", tmp_path / "out")
    fitted = ("--calibrate-on", tmp_path / "toy/dev", "--store-calibration")
    assert amsdf(capsys, *words, "--out", tmp_path / "out", *fitted).status == 0
    stored = read_calibration(folder)
    assert stored.rule.startswith("windows of") and stored.dev.corpora == ("toy/dev",)
    assert load(folder).calibration == stored


def test_a_calibration_of_other_weights_is_refused(tmp_path):
    one, other = (toy_detector(tmp_path / str(seed), seed=seed, **SMALL) for seed in (0, 1))
    toy_calibration(one, [1, 2], [0, 1])
    (other / "calibration.json").write_text((one / "calibration.json").read_text())
    with pytest.raises(ValueError, match=r"calibration\.json is of other weights; fit it"):
        load(other)


def test_an_old_file_is_of_the_published_rule(tmp_path):
    """It says neither rule nor operating point; the EER threshold decides, as it did.

    Its rates of false alarms were no bounds, so they are no more to be had.
    """
    for parts in ("first", "windows"):
        folder = toy_detector(tmp_path / parts, **SMALL, score={"parts": parts})
        toy_calibration(folder, [1, 2, 3], [0, 1, 2])
        file = folder / "calibration.json"
        old = ("method", "scores", "llrs", "prior", "thresholds")
        file.write_text(json.dumps({key: json.loads(file.read_text())[key] for key in old}))
    point = read_calibration(tmp_path / "first").point()
    assert point.name == "eer" and point.fake_below == point.real_above
    file = tmp_path / "first/calibration.json"
    data = json.loads(file.read_text())
    file.write_text(json.dumps({**data, "thresholds": {**data["thresholds"], "far-1%": 2.0}}))
    with pytest.raises(ValueError, match=r"far-1%: is no bound in this old calibration\.json; fit"):
        read_calibration(tmp_path / "first").threshold("far-1%")
    assert not read_calibration(tmp_path / "first").fitted_on_manifest("")
    with pytest.raises(ValueError, match=r"is for the first clip; the detector scores windows"):
        read_calibration(tmp_path / "windows")
