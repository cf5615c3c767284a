"""Bootstrap intervals and paired tests: equal to the naive loop, and fast."""

import time

import numpy as np
import pytest

from amsdf.metrics import (
    AsvRates,
    Resampling,
    bootstrap,
    bootstrap_values,
    draws,
    eer,
    min_cost,
    min_dcf,
    paired_test,
    tdcf_cost,
)

BONAFIDE, SPOOF = [1.0, 2, 3, 4], [-1.0, 0, 0.5, 2.5]
ASV = AsvRates(0.02, 0.02, 0.4)


def random_scores(seed, num_bonafide=200, num_spoof=500):
    generator = np.random.default_rng(seed)
    return generator.normal(1, 1, num_bonafide), generator.normal(-1, 1, num_spoof)


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
