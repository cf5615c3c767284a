"""RawBoost against the reference's numbers, then its properties."""

import numpy as np
import pytest
import torch
from golden_names import close
from kept_files import golden_path
from safetensors.numpy import load_file

from amsdf.data.augmentations.rawboost import (
    Notch,
    NotchBank,
    RawBoost,
    convolutive,
    filter_sum,
    impulsive,
    stationary,
)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return load_file(golden_path("rawboost.safetensors"))


def same(given: np.ndarray, expected: np.ndarray) -> None:
    """Both in float64: 1e-12 leaves room for another order of the sums of filters."""
    close(torch.from_numpy(given), torch.from_numpy(expected), 1e-12)


def bank_of(draws: np.ndarray) -> NotchBank:
    """Recorded draws (centre, width, taps) × n, gain -> the filter they describe."""
    notches = tuple(Notch(float(c), float(w), int(t)) for c, w, t in draws[:-1].reshape(-1, 3))
    return NotchBank(notches, float(draws[-1]))


@pytest.mark.parametrize("algorithm", range(9))
def test_algorithm_equals_the_reference(golden, algorithm):
    seed = 1000 + algorithm
    boosted = RawBoost().boost(golden["x"], algorithm, np.random.RandomState(seed))
    same(boosted, golden[f"algo{algorithm}/seed{seed}"])


@pytest.mark.parametrize(
    "name, draws",
    [
        ("notch", "draws_fc_bw_c_x5_then_G"),
        *zip(("notch_low_edge", "notch_high_edge"), ["draws"] * 2, strict=True),
    ],
)
def test_notch_filter_from_recorded_draws(golden, name, draws):
    same(bank_of(golden[f"{name}/{draws}"]).taps(), golden[f"{name}/b"])


def test_filter_is_one_sample_early_unless_compensated(golden):
    """The trap "delay off by one": the impulse at 200 comes out at 199, or at 200 if asked."""
    impulse, taps = golden["filterfir_impulse/x"], golden["filterfir_impulse/b"]
    same(filter_sum(impulse[None], [taps]), golden["filterfir_impulse/y"])
    assert np.abs(filter_sum(impulse[None], [taps], early=1)).argmax() == 199
    assert np.abs(filter_sum(impulse[None], [taps], early=0)).argmax() == 200


def test_filtered_waveform(golden):
    filtered = filter_sum(golden["x"][None], [golden["notch/b"]])
    same(filtered, golden["filterfir/y"])


def test_each_part_from_recorded_draws(golden):
    x = golden["x"]
    filters = [bank_of(draws).taps() for draws in golden["lnl/draws"].reshape(5, 16)]
    same(convolutive(x, filters), golden["algo1/seed1001"])

    factors = (2 * golden["isd/rand_a"] - 1) * (2 * golden["isd/rand_b"] - 1)
    impulses = impulsive(x, golden["isd/permutation_prefix"], factors, gain=2)
    same(impulses, golden["algo2/seed1002"])

    *notches_and_gain, snr_db = golden["ssi/draws_notch_then_snr"]
    taps = bank_of(np.array(notches_and_gain)).taps()
    noisy = stationary(x, golden["ssi/noise"], taps, snr_db)
    same(noisy, golden["algo3/seed1003"])


@pytest.mark.parametrize("algorithm", range(1, 9))
def test_production_generator(golden, algorithm):
    """Runs on `numpy.random.Generator` (the reference cannot), repeats, and changes something."""
    boost, x = RawBoost(algorithm), golden["x_float32"]
    first, again, other = (boost(x, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.float32
    assert first.shape == x.shape
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, x)


def test_compensated_convolution_stays_in_time(golden):
    x = golden["x_float32"]
    moved = [
        RawBoost(1, num_orders=1, compensate_delay=exact)(x, np.random.default_rng(0))
        for exact in (False, True)
    ]
    np.testing.assert_allclose(moved[0][:-1], moved[1][1:], atol=1e-3)


def test_a_list_of_algorithms_is_drawn_from(golden):
    boost, x = RawBoost(range(9), num_orders=1), golden["x_float32"]
    results = [boost(x, np.random.default_rng(seed)) for seed in range(60)]
    unchanged = sum(np.array_equal(result, x) for result in results)
    assert 1 <= unchanged <= 20  # algorithm 0 has a share of one ninth


@pytest.mark.parametrize("algorithm", [0, [0], [], 9, [1, -1]])
def test_no_algorithm_is_an_error(algorithm):
    """The trap "silent augmentation no-op"."""
    with pytest.raises(ValueError, match=r"changes nothing|is none of"):
        RawBoost(algorithm)


@pytest.mark.parametrize(
    "arguments",
    [
        {"impulse_gain": 0},
        {"impulse_percent": 0},
        {"num_orders": 0},
        {"num_taps": [1, 9]},
        {"snr_db": [40, 10]},
        {"centre_hz": [20, 9000]},
    ],
)
def test_settings_that_cannot_be_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        RawBoost(**arguments)


@pytest.mark.parametrize("samples", [1, 2, 100, 64_600])
def test_any_length(samples):
    x = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    for algorithm in (4, 8):
        boosted = RawBoost(algorithm)(x, np.random.default_rng(0))
        assert boosted.shape == x.shape
        assert np.isfinite(boosted).all()


def test_silence_stays_finite():
    silence = np.zeros(8000, np.float32)
    for algorithm in (4, 8):
        assert not RawBoost(algorithm)(silence, np.random.default_rng(0)).any()
