"""Metrics on numbers small enough to check by hand, and what must hold for any scores."""

import numpy as np
import pytest

from amsdf.metrics import (
    AsvRates,
    AsvScores,
    Cost,
    TandemCosts,
    accuracy,
    act_dcf,
    asv_rates,
    auc,
    cllr,
    ece,
    eer,
    eer_collapsed,
    f1,
    min_cllr,
    min_cost,
    min_dcf,
    min_tdcf,
    t_eer,
    tdcf_cost,
    tdcf_weights,
)

BONAFIDE, SPOOF = [1.0, 2, 3, 4], [-1.0, 0, 0.5, 2.5]
ASV = AsvRates(0.02, 0.02, 0.4)


def random_scores(seed, num_bonafide=200, num_spoof=500):
    generator = np.random.default_rng(seed)
    return generator.normal(1, 1, num_bonafide), generator.normal(-1, 1, num_spoof)


@pytest.mark.parametrize(
    ("bonafide", "spoof", "rate", "threshold"),
    [
        (BONAFIDE, SPOOF, 0.25, 1),
        ([0.1, 0.35, 0.4, 0.8], [0.2, 0.3, 0.5], 7 / 24, 0.3),
        ([1, 3, 5, 6], [0, 0.1, 0.2, 0.3, 0.4, 4, 4.1, 4.2], 0.3125, 1),
        ([0, 3.5, 9], [0.1, 0.2, 0.3, 4, 5, 6], 7 / 12, 3.5),
        ([1, 2, 2, 3], [0, 1, 2, 2], 0.5, 2),
        ([1] * 4, [1] * 4, 1.0, 1),
    ],
)
def test_eer_by_hand(bonafide, spoof, rate, threshold):
    assert eer(bonafide, spoof) == pytest.approx((rate, threshold), abs=1e-15)


def test_eer_collapsed_by_hand():
    assert eer_collapsed([1, 2, 2, 3], [0, 1, 2, 2]).rate == 0.375
    assert eer_collapsed([1] * 4, [1] * 4).rate == 0.5


def test_an_inverted_detector_is_not_folded_back():
    """Trap: min(EER, flipped EER)."""
    bonafide, spoof = random_scores(0)
    assert eer(spoof, bonafide).rate > 0.5
    assert eer([0, 1], [2, 3]).rate == 1.0
    assert auc(spoof, bonafide) < 0.5


@pytest.mark.parametrize("metric", [eer, eer_collapsed, min_dcf, act_dcf, cllr, min_cllr, auc])
@pytest.mark.parametrize(
    ("bonafide", "spoof", "message"),
    [
        ([1, np.nan], [0.0], "bona fide score number 1 is nan"),
        ([1.0], [0, 1, -np.inf], "spoof score number 2 is -inf"),
        ([], [0.0], "no bona fide scores"),
        ([1.0], [], "no spoof scores"),
        ([[1.0]], [0.0], "shape"),
    ],
)
def test_impossible_scores_are_refused(metric, bonafide, spoof, message):
    """Trap: EER for NaN scores."""
    with pytest.raises(ValueError, match=message):
        metric(bonafide, spoof)


@pytest.mark.parametrize("metric", [eer, eer_collapsed, min_dcf, auc, min_cllr])
def test_only_the_order_counts(metric):
    bonafide, spoof = random_scores(1)
    before, after = metric(bonafide, spoof), metric(np.exp(bonafide), np.exp(spoof))
    first, second = (value if isinstance(value, float) else value.rate for value in (before, after))
    assert first == pytest.approx(second, abs=1e-12)


def test_decisions_at_a_threshold():
    assert accuracy(BONAFIDE, SPOOF, 1.0) == 7 / 8
    assert f1(BONAFIDE, SPOOF, 1.0) == pytest.approx(8 / 9)
    assert f1(BONAFIDE, SPOOF, 1.0, "spoof") == pytest.approx(6 / 7)
    assert f1(BONAFIDE, SPOOF, 9.0) == 0
    with pytest.raises(ValueError, match="'real': it must be 'bonafide' or 'spoof'"):
        f1(BONAFIDE, SPOOF, 1.0, "real")


def test_auc_counts_pairs():
    pairs = [(b > s) + 0.5 * (b == s) for b in (1, 2, 2, 3) for s in (0, 1, 2, 2)]
    assert auc([1, 2, 2, 3], [0, 1, 2, 2]) == np.mean(pairs)


def test_act_dcf_at_its_threshold():
    assert act_dcf([-1.0], [-2.0]) == pytest.approx(1.9)  # reject everything
    assert act_dcf(BONAFIDE, SPOOF, threshold=9.0) == pytest.approx(1.9)
    assert act_dcf(BONAFIDE, SPOOF, threshold=1.0) == pytest.approx(0.25)
    assert act_dcf([0.0], [0.0], Cost(0, 1, 1)) == 1.0


def test_cllr():
    assert cllr([0.0], [0.0]) == 1.0
    assert cllr([1000.0], [-1000.0]) == 0.0
    assert cllr([-1000.0], [-1000.0]) == pytest.approx(500 / np.log(2))


def test_min_cllr():
    assert min_cllr([2.0, 3], [0.0, 1]) == 0
    assert min_cllr([0.0, 1], [2.0, 3]) == pytest.approx(1)
    assert min_cllr([1.0], [1.0]) == pytest.approx(1)
    for seed in range(5):
        bonafide, spoof = random_scores(seed)
        assert min_cllr(bonafide, spoof) <= cllr(2 * bonafide, 2 * spoof) + 1e-12


def test_min_cllr_keeps_equal_scores_together():
    """By hand: levels 0, 1, 2 hold bona fide 0, 1, 1 and spoof 1, 1, 0."""
    bits = (np.log2(1 + 1) + 0) / 2 + (0 + np.log2(1 + 1)) / 2
    assert min_cllr([1, 2], [0, 1]) == pytest.approx(bits / 2)


def test_min_cllr_weighs_a_level_by_its_trials():
    """One bona fide trial below three spoofs is no evidence: all four are pooled."""
    assert min_cllr([0], [1, 1, 1]) == pytest.approx(1)


def test_ece():
    assert ece([1.0, 1.0], [0.0, 0.0]) == 0
    assert ece([0.5], [0.5]) == 0
    assert ece([0.9, 0.9], [0.9, 0.9]) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="must be probabilities"):
        ece([1.5], [0.0])


def test_tandem_forms():
    perfect = [3.0, 4], [0.0, 1]
    weights = tdcf_weights(ASV)
    floor = weights[0] / (weights[0] + min(weights[1:]))
    assert min_tdcf(*perfect, ASV, "2019") == 0
    assert min_tdcf(*perfect, ASV, "2021") == pytest.approx(floor)
    assert min_tdcf(*reversed(perfect), ASV, "2019") == pytest.approx(1)
    assert min_tdcf(*reversed(perfect), ASV, "2021") == pytest.approx(1)
    for form in ("2019", "2021"):
        assert (
            min_tdcf(BONAFIDE, SPOOF, ASV, form)
            == min_cost(BONAFIDE, SPOOF, tdcf_cost(ASV, form)).value
        )


def test_each_kind_of_error_has_its_own_price():
    costs = TandemCosts(0.1, 0.7, 0.2, miss=2, false_alarm=3, false_alarm_spoof=5)
    alone = 0.7 * 2 * 0.1 + 0.2 * 3 * 0.2
    expected = (alone, 0.7 * 2 - alone, 0.1 * 5 * 0.4)
    assert tdcf_weights(AsvRates(0.1, 0.2, 0.4), costs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: min_tdcf(BONAFIDE, SPOOF, ASV, "2015"), "no t-DCF form '2015'"),
        (lambda: min_tdcf([1, 1], [0, 0], ASV), "soft scores"),
        (lambda: tdcf_cost(ASV, "2021", TandemCosts(0.5)), "must sum to 1"),
        (lambda: tdcf_cost(AsvRates(0, 0, 0), "2019"), "rejects every spoof"),
        (lambda: tdcf_cost(AsvRates(1, 1, 1), "2019"), "costs more than no system"),
        (lambda: asv_rates(AsvScores([1], [0], [])), "no ASV spoof scores"),
        (lambda: asv_rates(AsvScores([1], [0], [0.5]), "A07"), "do not name their attacks"),
        (lambda: asv_rates(AsvScores([1], [0], [0.5], ["A08"]), "A07"), r"ASV spoof \(A07\)"),
        (lambda: t_eer(BONAFIDE, SPOOF, AsvScores([0], [], [1])), "no nontarget scores"),
    ],
)
def test_impossible_tandems_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_t_eer_of_extreme_systems():
    perfect = AsvScores([2.0, 3], [0.0, 1], [0.0, 1])
    assert t_eer([2.0, 3], [0.0, 1], perfect) == 0
    assert 0 <= t_eer([0.0], [1.0], AsvScores([0.0], [1.0], [1.0])) <= 1


def test_asv_threshold_accepts_the_score_that_equals_it():
    rates = asv_rates(AsvScores([1, 2, 3, 4], [-1, 0, 0.5, 2.5], [1, 0], ["A07", "A08"]))
    assert rates == (0, 0.25, 0.5, 1)
    assert rates.miss_spoof == 0.5
