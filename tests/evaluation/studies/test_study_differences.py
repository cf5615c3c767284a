"""Differences between settings: by hand, and how often their intervals hold the truth."""

import numpy as np
import pytest

from amsdf.evaluation.studies.differences import difference


def rates(table) -> dict:
    """(seeds, sources) -> what `difference` takes."""
    return {(s, f"c{k}"): float(v) for s, row in enumerate(table) for k, v in enumerate(row)}


def test_by_hand():
    """Equal gaps but for the source: only the sources make the interval."""
    first = np.full((2, 2), 0.30)
    gap = difference(rates(first), rates(first - [[0.10, 0.06], [0.10, 0.06]]))
    assert gap.mean == pytest.approx(-0.08) and (gap.num_seeds, gap.num_sources) == (2, 2)
    half = 12.7062 * 0.02  # t of one degree of freedom, standard error of the two source means
    assert (gap.low, gap.high) == pytest.approx((-0.08 - half, -0.08 + half), abs=1e-4)
    assert gap.verdict == "not told apart"
    gaps = 0.05 + 0.01 * np.arange(20).reshape(4, 5) / 20
    assert difference(rates(np.zeros((4, 5))), rates(gaps)).verdict == "worse"
    assert difference(rates(np.zeros((4, 5))), rates(-gaps)).verdict == "better"


def test_equal_gaps_have_no_interval_of_zero_width():
    gap = difference(rates(np.zeros((4, 5))), rates(np.full((4, 5), 0.02)))
    assert gap.low is None and gap.verdict == "too few to say"
    crossed = difference(rates(np.zeros((2, 2))), rates([[0.01, -0.01], [-0.01, 0.01]]))
    assert (crossed.low, crossed.high) == (-0.01, 0.01)


@pytest.mark.parametrize("shape", [(1, 6), (5, 1), (1, 1)])
def test_one_seed_or_one_source_is_too_few_to_say(shape):
    gap = difference(rates(np.zeros(shape)), rates(np.ones(shape)))
    assert gap.verdict == "too few to say" and gap.low is None and gap.mean == 1


def test_what_one_of_them_lacks_counts_for_none():
    first, other = rates(np.zeros((3, 2))), rates(np.ones((3, 2)))
    del other[1, "c0"]
    assert difference(first, other).num_seeds == 2
    assert difference(first, {(9, "c0"): 0.1}) is None


@pytest.mark.parametrize("shape", [(2, 3), (3, 6), (5, 5), (3, 10)])
def test_intervals_hold_the_truth(shape):
    """Seeds and sources that each have an effect of their own: 90 to 99.5 %, as is said."""
    rng = np.random.default_rng(0)
    zero = rates(np.zeros(shape))
    held = 0
    for _ in range(600):
        effects = rng.normal(size=(shape[0], 1)) + rng.normal(size=(1, shape[1]))
        gap = difference(zero, rates(effects + rng.normal(size=shape)))
        held += gap.low <= 0 <= gap.high
    assert 0.90 <= held / 600 <= 0.995
