"""The interpolated EER, against a walk over all thresholds."""

import numpy as np
import pytest
from arena_bundles import arena_eer

from amsdf.metrics.crossing import eer_interpolated


@pytest.mark.parametrize("seed", range(20))
def test_eer_is_that_of_a_walk_over_all_thresholds(seed):
    """With ties, few trials, and one class far above the other."""
    rng = np.random.default_rng(seed)
    real = rng.normal(rng.uniform(-1, 2), 1, int(rng.integers(1, 40))).round(int(seed % 3))
    fake = rng.normal(0, 1, int(rng.integers(1, 40))).round(int(seed % 3))
    names = [str(place) for place in range(len(real) + len(fake))]
    scores = dict(zip(names, [*real, *fake], strict=True))
    labels = dict(zip(names, [1] * len(real) + [0] * len(fake), strict=True))
    assert 100 * eer_interpolated(real, fake).rate == pytest.approx(
        arena_eer(scores, labels), abs=1e-12
    )


def test_eer_by_hand():
    assert eer_interpolated([1, 1], [0, 0]).rate == 0
    assert eer_interpolated([0, 0], [1, 1]).rate == 1
    assert eer_interpolated([0, 1, 2], [0, 1, 2]).rate == pytest.approx(1 / 2)
    assert eer_interpolated([1, 2, 3, 4], [0, 1, 2]).rate == pytest.approx(2 / 7)
    assert eer_interpolated([5], [5]).rate == 0.5  # the rates never cross: (1 + 0) / 2


@pytest.mark.filterwarnings("error")
def test_scores_near_the_largest_number_do_not_overflow():
    found = eer_interpolated([1e308, -1e308], [-1e308, 1e308, -1e308])
    assert np.isfinite(found).all()
