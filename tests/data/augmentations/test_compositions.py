"""Probability, chains, choices and copies of augmentations."""

import numpy as np
import pytest
from test_augmentations import rng, wave

from amsdf.data.augmentations.compose import Chain, Copies, OneOf, SomeOf
from amsdf.data.augmentations.level import BandLimit, Clipping, Gain
from amsdf.data.augmentations.noise import AddNoise
from amsdf.data.augmentations.timing import Speed, TimeMask, TrimSilence


def test_p_is_the_share_that_is_changed():
    x, half = wave(100), Gain((6, 6), p=0.5)
    changed = sum(half(x, rng(seed)) is not x for seed in range(400))
    assert 160 < changed < 240


@pytest.mark.parametrize("p", [0, -0.1, 1.1])
def test_p_that_switches_off_is_an_error(p):
    with pytest.raises(ValueError, match="is not a probability above 0"):
        Gain(p=p)


def test_chain_keeps_the_order():
    x = wave()
    louder, clipped = Gain((20, 20)), Clipping((0.5, 0.5))
    y = Chain([louder, clipped])(x, rng())
    np.testing.assert_array_equal(y, clipped(louder(x, rng()), rng()))


def test_one_of_follows_its_weights():
    x = np.ones(4, np.float32)
    one = OneOf([Gain((6, 6)), Gain((-6, -6))], weights=[3, 1])
    loud = sum(one(x, rng(seed))[0] > 1 for seed in range(400))
    assert 260 < loud < 340


def test_some_of_draws_different_parts_in_order():
    x = np.ones(4, np.float32)
    parts = [Gain((20, 20)), Gain((40, 40)), Gain((80, 80))]
    results = {round(20 * np.log10(SomeOf(parts, k=2)(x, rng(s))[0])) for s in range(40)}
    assert results == {60, 100, 120}
    results = {round(20 * np.log10(SomeOf(parts, k=(1, 3))(x, rng(s))[0])) for s in range(80)}
    assert results == {20, 40, 80, 60, 100, 120, 140}


def test_copies_say_how_often_a_clip_stands_in_an_epoch():
    copies = Copies(["gain"], n=3, keep_original=False)
    assert (copies.copies, copies.keeps_original) == (3, False)
    assert (Gain().copies, Gain().keeps_original) == (1, False)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: Chain([]), "'of' is empty"),
        (lambda: OneOf([]), "'of' is empty"),
        (lambda: OneOf(["gain"], weights=[1, 2]), "must be 1 numbers above 0"),
        (lambda: OneOf(["gain"], weights=[0]), "must be 1 numbers above 0"),
        (lambda: SomeOf(["gain"], k=2), "from 1 to 1"),
        (lambda: SomeOf(["gain", "clip"], k=(0, 1)), "from 1 to 2"),
        (lambda: Copies(["gain"], n=0), "n = 0 must be at least 1"),
        (lambda: Chain(["gain", Copies(["clip"])]), "make it the only augmentation"),
        (lambda: Chain(["gian"]), "no augmentation named 'gian'. Did you mean 'gain'"),
        (lambda: Chain([{"name": "gain", "db": 3}]), "unexpected keyword argument 'db'"),
        (lambda: Gain((0, 0)), "changes nothing"),
        (lambda: Gain((3, 1)), "from <= to"),
        (lambda: Gain(6), "gain_db = 6 must be two numbers"),
        (lambda: Clipping((0, 0)), "changes nothing"),
        (lambda: BandLimit([], None), "rates is empty and band_hz is null"),
        (lambda: BandLimit([16_000]), "rate 16000 must be between"),
        (lambda: Speed([]), "change nothing"),
        (lambda: Speed([1.0]), "change nothing"),
        (lambda: Speed([10]), "factor 10 must be between"),
        (lambda: TimeMask(num=(0, 0)), "num = .* 1 <= from"),
        (lambda: TrimSilence(threshold_db=0), "threshold_db = 0"),
        (lambda: TrimSilence(where="middle"), "must be 'everywhere' or 'ends'"),
        (lambda: AddNoise(colour="pnik"), "no colour 'pnik'. Did you mean 'pink'"),
        (lambda: AddNoise("sounds", "pink"), "give one of them"),
    ],
)
def test_settings_that_cannot_be_are_refused(build, message):
    """The trap "silent augmentation no-op": what could do nothing is an error."""
    with pytest.raises(ValueError, match=message):
        build()
