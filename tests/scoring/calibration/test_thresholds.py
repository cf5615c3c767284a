"""Thresholds that promise a false-alarm rate: that they keep it, and when there is none."""

import numpy as np
import pytest
from scipy.stats import beta

from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.calibration.fits import fit_logistic
from amsdf.scoring.calibration.thresholds import CONFIDENCE, FAR_RATES, far_bound, least_fakes

RATES = tuple(FAR_RATES.values())


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_true_rate_is_above_the_promise_in_one_of_twenty_fits(rate, size):
    """Fakes of uniform scores: of a threshold t, the true rate is 1 - t."""
    draws, fits = np.random.default_rng(size), 4000
    fakes = size * least_fakes(rate) + size - 1
    true = 1 - np.array([far_bound(draws.random(fakes), rate) for _ in range(fits)])
    broken = np.mean(true > rate)
    assert broken < 0.05 + 3 * (0.05 * 0.95 / fits) ** 0.5
    assert broken > 0.01, "nor is it stricter than it must be"


@pytest.mark.parametrize(("name", "fakes"), [("far-1%", 299), ("far-5%", 59)])
def test_below_a_number_of_fakes_there_is_none(name, fakes):
    rate, scores = FAR_RATES[name], np.arange(fakes, dtype=float)
    assert least_fakes(rate) == fakes
    assert far_bound(scores[1:], rate) is None
    assert far_bound(scores, rate) == fakes - 1, "no fake may pass"
    few = fit_logistic(scores + 1, scores[1:])
    with pytest.raises(ValueError, match=f"^{name} needs at least {fakes} fakes; calibrated on "):
        few.threshold(name)
    assert fit_logistic(scores + 1, scores).threshold(name) == fakes - 1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("fakes", [299, 474, 1000, 5000])
def test_it_is_the_lowest_that_the_exact_bound_allows(rate, fakes):
    """By the beta quantile of Clopper and Pearson, instead of the binomial distribution."""
    scores = np.arange(fakes, dtype=float)
    passed = int((scores > far_bound(scores, rate)).sum())

    def upper(count: int) -> float:
        return beta.ppf(CONFIDENCE, count + 1, fakes - count)

    assert upper(passed) <= rate < upper(passed + 1)


def test_equal_scores_pass_together_or_not_at_all():
    scores = np.repeat([0.0, 1.0], [900, 100])
    assert far_bound(scores, 0.01) == 1.0 and far_bound(scores, 0.05) == 1.0


def test_the_file_says_how_sure_it_is_and_of_how_many_fakes():
    calibration = fit_logistic([2.0, 3.0], np.arange(70.0))
    back = Calibration.from_json(calibration.to_json())
    assert (back.promise.num_spoof, back.promise.confidence) == (70, 0.95)
    assert back == calibration and "far-5%" in back.thresholds
