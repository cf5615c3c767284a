"""What a difference between two settings is worth, over seeds and sources.

Another seed and another source would give another difference. The variance of the mean over a
crossed table of seeds and sources is bounded by the sum of that of its seed means and that of its
source means. With two or three of each, the percentiles of resampled seeds and sources cover the
truth in 65 to 90 % of the cases; the quantiles of Student's t, with Satterthwaite's degrees of
freedom, in 90 to 99 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy

#: EERs as fractions, by seed and by source (a corpus, or the source left out).
Rates = Mapping[tuple[int, str], float]
FEWEST = 2


@dataclass(frozen=True)
class Difference:
    """A setting minus the first one: negative is better. No bounds: too few to say."""

    mean: float
    num_seeds: int
    num_sources: int
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """In one word or two."""
        if self.low is None or self.high is None:
            return "too few to say"
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "not told apart"


def difference(first: Rates, other: Rates, level: float = 0.95) -> Difference | None:
    """The mean difference over the seeds and sources that both have, and its interval.

    A seed that misses a source counts not at all. None where nothing is common.
    """
    common = first.keys() & other.keys()
    sources = sorted({source for _, source in common})
    seeds = [
        seed
        for seed in sorted({seed for seed, _ in common})
        if all((seed, source) in common for source in sources)
    ]
    if not seeds:
        return None
    gaps = np.array(
        [[other[seed, source] - first[seed, source] for source in sources] for seed in seeds]
    )
    found = Difference(float(gaps.mean()), len(seeds), len(sources))
    # Where all gaps are equal, they show no spread yet; that is no proof that there is none.
    if min(gaps.shape) < FEWEST or np.ptp(gaps) == 0:
        return found
    half = _half_width(gaps, level)
    return replace(found, low=found.mean - half, high=found.mean + half)


def _half_width(gaps: np.ndarray, level: float) -> float:
    """Of the interval of the mean of (seeds, sources)."""
    by_seed, by_source = gaps.mean(axis=1), gaps.mean(axis=0)
    variances = [means.var(ddof=1) / len(means) for means in (by_seed, by_source)]
    total = float(sum(variances))
    if total == 0:  # the gaps of each seed, and of each source, are alike in the mean
        return float(np.abs(gaps - gaps.mean()).max())
    spent = sum(v**2 / (n - 1) for v, n in zip(variances, gaps.shape, strict=True))
    quantile = scipy.special.stdtrit(total**2 / spent, (1 + level) / 2)
    return float(quantile * np.sqrt(total))
