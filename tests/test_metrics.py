"""Metrics on numbers small enough to check by hand, and what must hold for any scores."""

import time

import numpy as np
import pytest

from amsdf.metrics import (
    AsvRates,
    AsvScores,
    Cost,
    Resampling,
    TandemCosts,
    accuracy,
    act_dcf,
    asv_rates,
    auc,
    bootstrap,
    bootstrap_values,
    cllr,
    draws,
    ece,
    eer,
    eer_collapsed,
    f1,
    min_cllr,
    min_cost,
    min_dcf,
    min_tdcf,
    paired_test,
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


def test_a_constant_on_both_logits_changes_nothing():
    """Traps: class logit ranked instead of LLR, float32 softmax ties."""
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(400, 2)) * 20
    real = generator.random(400) < 0.5
    shifted = logits + generator.normal(size=(400, 1)) * 14
    rates = [
        eer((pair[:, 1] - pair[:, 0])[real], (pair[:, 1] - pair[:, 0])[~real]).rate
        for pair in (logits, shifted)
    ]
    assert rates[0] == rates[1]


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


GROUPS = {
    "utterance": lambda *_: None,
    "speaker": lambda generator, b, s: (
        generator.integers(5, size=b),
        generator.integers(5, size=s),
    ),
    "attack": lambda generator, b, s: (None, generator.choice(["A07", "A08", "A09"], s)),
}


@pytest.mark.parametrize("unit", GROUPS)
@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_bootstrap_equals_the_naive_loop(unit, decimals):
    """Trap: quadratic metrics."""
    cost = tdcf_cost(ASV)
    for seed in range(25):
        generator = np.random.default_rng(seed)
        sizes = generator.integers(1, 30, 2)
        bonafide = generator.normal(0.5, 1, sizes[0]).round(decimals)
        spoof = generator.normal(-0.5, 1, sizes[1]).round(decimals)
        how = Resampling(rounds=10, seed=seed, groups=GROUPS[unit](generator, *sizes))
        resamples = [(bonafide[real], spoof[fake]) for real, fake in draws(*sizes, how)]
        assert list(bootstrap_values(bonafide, spoof, "eer", how)) == [
            eer(*pair).rate for pair in resamples
        ]
        assert list(bootstrap_values(bonafide, spoof, cost, how)) == [
            min_cost(*pair, cost).value for pair in resamples
        ]


def test_groups_are_drawn_whole():
    speakers = np.array(["a", "a", "b"]), np.array(["a", "b", "b", "b"])
    for real, fake in draws(3, 4, Resampling(50, groups=speakers)):
        counts = [np.bincount(index, minlength=n) for index, n in ((real, 3), (fake, 4))]
        assert counts[0][0] == counts[0][1] == counts[1][0]
        assert counts[0][2] == counts[1][1] == counts[1][2] == counts[1][3]


def test_a_draw_never_lacks_a_class():
    how = Resampling(50, groups=(["a"], ["b"]))
    assert all(real.size and fake.size for real, fake in draws(1, 1, how))


def test_intervals_cover_the_truth():
    """Of 60 samples with a true EER of 15.87 %, a 90 % interval must hold it in most."""
    truth, held = 0.158655, 0
    for seed in range(60):
        low, high = bootstrap(*random_scores(seed), "eer", Resampling(200, level=0.9))
        held += low <= truth <= high
    assert 46 <= held <= 60


def test_bootstrap_of_any_function():
    how = Resampling(rounds=20, seed=3)
    scores = random_scores(3)
    values = bootstrap_values(*scores, lambda real, fake: eer(real, fake).rate, how)
    assert list(values) == list(bootstrap_values(*scores, "eer", how))
    assert bootstrap(*scores, "min_dcf", how).low <= min_dcf(*scores)
    assert bootstrap(*scores, "eer", how) == bootstrap(*scores, "eer", how)
    assert bootstrap(*scores, "eer", how) != bootstrap(*scores, "eer", Resampling(20, seed=4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap(BONAFIDE, SPOOF, "err"), "no bootstrap metric 'err'"),
        (lambda: Resampling(rounds=0), "at least 1"),
        (lambda: Resampling(level=95), "between 0 and 1"),
        (
            lambda: bootstrap(BONAFIDE, SPOOF, "eer", Resampling(groups=(None, ["a"]))),
            "1 groups for 4 spoof scores",
        ),
        (lambda: paired_test((BONAFIDE, SPOOF), (BONAFIDE, SPOOF[1:])), "the same trials"),
    ],
)
def test_impossible_bootstraps_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_paired_test():
    bonafide, spoof = random_scores(5)
    how = Resampling(rounds=300)
    same = paired_test((bonafide, spoof), (bonafide, spoof), "eer", how)
    assert same == (0, 0, 0, 1)
    worse = np.random.default_rng(6).normal(0, 1.5, bonafide.size)
    found = paired_test((bonafide, spoof), (bonafide + worse, spoof), "eer", how)
    assert found.difference == eer(bonafide, spoof).rate - eer(bonafide + worse, spoof).rate
    assert found.low <= found.difference <= found.high < 0
    assert found.p_value < 0.01


def test_speed():
    """Trap: quadratic metrics. Bounds are loose: what they catch grows with the square."""
    generator = np.random.default_rng(7)
    bonafide, spoof = generator.normal(1, 1, 60_000), generator.normal(-1, 1, 552_000)
    begin = time.process_time()
    eer(bonafide, spoof)
    bootstrap(bonafide[:7_355], spoof[:63_882], "eer", Resampling(rounds=50))
    bootstrap(bonafide[:7_355], spoof[:63_882], tdcf_cost(ASV), Resampling(rounds=50))
    assert time.process_time() - begin < 2
