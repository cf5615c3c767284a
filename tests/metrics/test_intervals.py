"""Confidence intervals and paired tests: they keep their word, and are fast."""

import time

import numpy as np
import pytest

from amsdf.metrics import (
    AsvRates,
    Intervals,
    Metric,
    Resampling,
    Trials,
    accuracy,
    act_dcf,
    auc,
    bootstrap,
    cllr,
    clopper_pearson,
    counted,
    dcf_cost,
    ece,
    eer,
    f1,
    holm,
    mean_interval,
    min_cllr,
    min_dcf,
    paired_test,
    source_interval,
    tdcf_cost,
)

ASV = AsvRates(0.02, 0.02, 0.4)


def random_scores(seed, num_bonafide=200, num_spoof=500):
    generator = np.random.default_rng(seed)
    return generator.normal(1, 1, num_bonafide), generator.normal(-1, 1, num_spoof)


@pytest.mark.parametrize(
    ("of_counts", "of_scores"),
    [
        (counted.auc, auc),
        (counted.cllr, cllr),
        (counted.min_cllr, min_cllr),
        (lambda counts: counted.min_cost(counts, dcf_cost()), min_dcf),
        (lambda counts: counted.act_cost(counts, dcf_cost()), act_dcf),
        (lambda counts: counted.accuracy(counts, 0.1), lambda b, s: accuracy(b, s, 0.1)),
        (lambda counts: counted.f1(counts, 0.1), lambda b, s: f1(b, s, 0.1, "spoof")),
    ],
)
@pytest.mark.parametrize("sizes", [(200, 500), (4000, 9000)])
def test_figures_of_counts_are_those_of_scores(of_counts, of_scores, sizes):
    """Of the trials as they are, and of a resample; of many trials, to a thousandth."""
    bonafide, spoof = random_scores(3, *sizes)
    trials = Trials(bonafide, spoof, Resampling(rounds=2), cuts=[0.1])
    tolerance = 1e-12 if sum(sizes) < 2000 else 1e-3
    seen = of_counts(trials.observed())[0]
    assert seen == pytest.approx(of_scores(bonafide, spoof), abs=tolerance)

    drawn = trials.drawn()
    real, fake = (
        np.repeat(drawn.scores, next(counts.tables())[1].astype(int)) for counts in drawn[:2]
    )
    assert sum(sizes) > 2000 or (real.size, fake.size) == sizes
    assert of_counts(drawn)[1] == pytest.approx(of_scores(real, fake), abs=tolerance)


def test_the_counted_eer_and_ece():
    bonafide, spoof = random_scores(3)
    seen = counted.eer(Trials(bonafide, spoof).observed())[0]
    assert seen == pytest.approx(eer(bonafide, spoof).rate, abs=0.003)
    stated = [1 / (1 + np.exp(-2 * scores)) for scores in (bonafide, spoof)]
    assert counted.ece(Trials(*stated).observed())[0] == pytest.approx(ece(*stated), abs=1e-12)


def test_groups_are_drawn_whole():
    how = Resampling(50, groups=(["a", "a", "b"], ["a", "b", "b", None]))
    drawn = Trials([1.0, 2, 3], [4.0, 5, 6, 7], how).drawn()
    real, fake = (np.concatenate(list(counts.tables())) for counts in drawn[:2])
    a, b = real[:, 0], real[:, 2]
    assert (real[:, 1] == a).all()
    assert (fake[:, 3:6] == np.stack([a, b, b], axis=1)).all()
    assert (a + b == 2).all()
    assert (fake[:, 6] == 1).all()
    assert len(set(a)) > 1


def test_classes_of_other_speakers_are_drawn_apart():
    drawn = Trials([1.0], [2.0], Resampling(50, groups=(["a"], ["b"]))).drawn()
    assert drawn.bonafide.total.sum() == drawn.spoof.total.sum() == 50


def covered(draw, truth, runs=120):
    """How often the interval of the EER holds the truth."""
    held = 0
    for seed in range(runs):
        scores, groups = draw(np.random.default_rng(seed))
        low, high = bootstrap(*scores, how=Resampling(rounds=200, groups=groups))
        assert low < high
        held += low <= truth <= high
    return held / runs


def of_speakers(generator, speakers, share, distance):
    """Scores of clips of known speakers, who have a share of the variance in common."""
    real, fake = (
        np.sqrt(share) * generator.normal(size=20)[of]
        + np.sqrt(1 - share) * generator.normal(size=len(of))
        for of in speakers
    )
    return (real + distance, fake), speakers


def test_few_clips_and_few_errors_are_covered():
    """24 + 24 clips with a true EER of 2 %: percentiles of a bootstrap hold it 36 % of the time."""

    def draw(generator):
        return (generator.normal(4.1075, 1, 24), generator.normal(0, 1, 24)), None

    assert 0.93 <= covered(draw, 0.02) <= 1


def test_speakers_are_covered():
    """500 + 4000 clips, 20 speakers with 10 % of the variance: by clip it is 77 %."""

    def draw(generator):
        speakers = [generator.integers(20, size=size) for size in (500, 4000)]
        return of_speakers(generator, speakers, 0.1, 3.28971)

    assert 0.91 <= covered(draw, 0.05) <= 0.99


def test_no_false_differences_by_speaker():
    """Two systems of one true EER, whose speakers differ: by clip 31 % are called different."""
    found = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        speakers = [generator.integers(20, size=size) for size in (200, 400)]
        systems = [
            [
                shift + generator.normal(size=20)[of] * 0.3 + generator.normal(size=len(of))
                for shift, of in zip((3, 0), speakers, strict=True)
            ]
            for _ in range(2)
        ]
        how = Resampling(rounds=200, groups=speakers)
        found += paired_test(*systems, how=how).p_value < 0.05
    assert 0.01 <= found / 100 <= 0.1


@pytest.mark.parametrize(
    ("metric", "end"),
    [
        ("eer", 0.0),
        ("min_dcf", 0.0),
        (tdcf_cost(ASV), None),
        (Metric(counted.auc, "share"), 1.0),
        (Metric(counted.min_cllr), 0.0),
        (Metric(lambda counts: counted.frr_at(counts, 0.0), "errors", "bonafide"), 0.0),
    ],
)
@pytest.mark.parametrize("groups", [None, ([str(n % 6) for n in range(24)],) * 2])
def test_an_interval_without_errors_has_a_width(metric, end, groups):
    """`0.00 [0.00, 0.00]` says that the detector never errs."""
    real, fake = np.linspace(1, 2, 24), np.linspace(-2, -1, 24)
    low, high = bootstrap(real, fake, metric, Resampling(groups=groups))
    assert high - low > 0.005
    assert end is None or end in (pytest.approx(low), pytest.approx(high))


def test_an_interval_holds_its_own_figure():
    for size in (10, 40, 3000):
        scores = random_scores(size, size, 2 * size)
        for metric, value in (("eer", eer(*scores).rate), ("min_dcf", min_dcf(*scores))):
            low, high = bootstrap(*scores, metric)
            assert low <= value <= high


def test_a_normalised_cost_is_1_at_most():
    real, fake = random_scores(0, 30, 30)
    assert bootstrap(real - 2, fake, "min_dcf").high == 1


def test_too_few_to_say():
    real, fake = random_scores(0, 30, 30)
    assert bootstrap(real[:9], fake) is None
    four = [str(n % 4) for n in range(30)]
    assert bootstrap(real, fake, how=Resampling(groups=(four, None))) is None
    assert bootstrap(real, fake, how=Resampling(groups=([*four[:29], "e"], None))) is not None
    assert paired_test((real, fake), (real, fake), how=Resampling(groups=(four, four))) is None
    one = ["most"] * 24 + [f"s{n}" for n in range(6)]
    assert bootstrap(real, fake, how=Resampling(groups=(one, None))) is None


def test_speakers_of_unequal_size_are_covered():
    """Twenty speakers, of whom three have half of the clips, say as much as eight."""
    shares = 1 / np.arange(1, 21)

    def draw(generator):
        speakers = [generator.choice(20, size=size, p=shares / shares.sum()) for size in (300, 600)]
        return of_speakers(generator, speakers, 0.2, 2.5631)

    assert 0.92 <= covered(draw, 0.1) <= 0.99


def test_the_same_seed_gives_the_same_interval():
    scores = random_scores(3)
    assert bootstrap(*scores) == bootstrap(*scores)
    assert bootstrap(*scores) != bootstrap(*scores, how=Resampling(seed=4))


def test_a_wider_level_is_wider():
    scores = random_scores(3)
    wide, narrow = (bootstrap(*scores, how=Resampling(level=level)) for level in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_many_groups_and_scores_give_the_interval_of_few():
    """What is joined to save time must not change the spread."""
    real, fake = random_scores(1, 20_000, 30_000)
    own = bootstrap(real, fake)
    expected = 1.96 * np.sqrt(0.1587 * 0.8413 / 4 * (1 / 20_000 + 1 / 30_000))
    assert own.high - own.low == pytest.approx(2 * expected, rel=0.15)
    named = [[f"{kind}{n}" for n in range(size)] for kind, size in (("b", 20_000), ("s", 30_000))]
    grouped = bootstrap(real, fake, how=Resampling(groups=named))
    assert grouped.high - grouped.low == pytest.approx(own.high - own.low, rel=0.15)


def test_clopper_pearson():
    assert clopper_pearson(0, 24) == (0, pytest.approx(1 - 0.025 ** (1 / 24)))
    assert clopper_pearson(24, 24) == (pytest.approx(0.025 ** (1 / 24)), 1)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_mean_of_two_figures():
    low, high = mean_interval([0.1, 0.3], [(0.07, 0.2), (0.26, 0.4)])
    assert (low, high) == (pytest.approx(0.2 - 0.025), pytest.approx(0.2 + np.sqrt(0.02) / 2))


def test_the_mean_over_sources_is_covered():
    generator = np.random.default_rng(0)
    found = [source_interval(generator.beta(3, 7, 8)) for _ in range(500)]
    assert 0.92 <= np.mean([low <= 0.3 <= high for low, high in found]) <= 0.98


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap(*random_scores(0), "err"), "no interval of 'err'"),
        (lambda: Resampling(rounds=1), "at least 2"),
        (lambda: Resampling(level=95), "between 0 and 1"),
        (
            lambda: bootstrap([1.0], [0.0] * 4, "eer", Resampling(groups=(None, ["a"]))),
            "1 groups for 4 spoof scores",
        ),
        (
            lambda: paired_test(random_scores(0), random_scores(0, num_spoof=9)),
            "the same trials",
        ),
    ],
)
def test_impossible_intervals_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_paired_test():
    bonafide, spoof = random_scores(5)
    same = paired_test((bonafide, spoof), (bonafide, spoof))
    assert (same.difference, same.p_value) == (0, 1)
    assert same.low < 0 < same.high
    worse = np.random.default_rng(6).normal(0, 1.5, bonafide.size)
    found = paired_test((bonafide, spoof), (bonafide + worse, spoof))
    assert found.low <= found.difference <= found.high < 0
    assert found.p_value < 0.01


def test_speed():
    """Trap: quadratic metrics. Bounds are loose: what they catch grows with the square."""
    generator = np.random.default_rng(7)
    bonafide, spoof = generator.normal(1, 1, 60_000), generator.normal(-1, 1, 552_000)
    begin = time.process_time()
    eer(bonafide, spoof)
    intervals = Intervals(Trials(bonafide, spoof))
    intervals.of(Metric(counted.eer, "errors"))
    intervals.of(Metric(counted.min_cllr))
    assert time.process_time() - begin < 6
