"""How often 95 % intervals hold the truth, and how often tests find a difference that is not there.

    python scripts/bench/intervals.py          # about 5 minutes
    python scripts/bench/intervals.py --runs 100

Scores are drawn with a known EER, with or without a share of the variance that speakers have in
common. A right interval holds the truth 93 to 97 % of the time, at least 93 % where few errors make
it an exact bound; a right test finds 3 to 7 % false differences at p < 0.05.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from amsdf.metrics import Resampling, bootstrap, paired_test

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Case:
    """Sizes, the true EER, and speakers (0: every clip is its own) with their share of variance."""

    bonafide: int
    spoof: int
    eer: float
    speakers: int = 0
    share: float = 0.0
    #: Standard deviation of the spoof scores; that of bona fide scores is 1.
    spread: float = 1.0
    #: Whether the n-th speaker has 1/n as many clips as the first.
    unequal: bool = False

    def __str__(self) -> str:
        text = f"{self.bonafide} + {self.spoof}, EER {100 * self.eer:g} %"
        if self.speakers:
            size = " of unequal size" * self.unequal
            text += f", {self.speakers} speakers{size}, {100 * self.share:g} % of variance"
        return text + (", unequal spread" if self.spread != 1 else "")


CASES = (
    Case(24, 24, 0.02),
    Case(24, 24, 0.1),
    Case(24, 24, 0.3),
    Case(15, 145, 0.2),
    Case(100, 1000, 0.05),
    Case(100, 1000, 0.05, spread=3.0),
    Case(500, 4000, 0.05, 20, 0.1),
    Case(500, 4000, 0.02, 20, 0.1),
    Case(500, 4000, 0.2, 20, 0.3),
    Case(500, 2000, 0.1, 20, 0.2, unequal=True),
    Case(200, 400, 0.1, 6, 0.1),
    Case(200, 400, 0.05, 60, 0.1),
)


def draw_speakers(case: Case, generator: np.random.Generator) -> Pair:
    """The speaker of each bona fide (Nb,) and of each spoofed clip (Ns,)."""
    speakers = max(case.speakers, 1)
    shares = 1 / np.arange(1.0, speakers + 1) if case.unequal else np.ones(speakers)
    real, fake = (
        generator.choice(speakers, size=size, p=shares / shares.sum())
        for size in (case.bonafide, case.spoof)
    )
    return real, fake


def draw_scores(case: Case, speakers: Pair, generator: np.random.Generator) -> Pair:
    """Scores of the bona fide (Nb,) and of the spoofed clips (Ns,)."""
    scores = []
    distance = -(1 + case.spread) * norm.ppf(case.eer)
    for speaker, mean, spread in zip(speakers, (distance, 0.0), (1.0, case.spread), strict=True):
        common = generator.normal(size=max(case.speakers, 1))[speaker] * np.sqrt(case.share)
        own = generator.normal(size=speaker.size) * np.sqrt(1 - case.share)
        scores.append(mean + spread * (common + own))
    return scores[0], scores[1]


def resampling(case: Case, speakers: Pair) -> Resampling:
    """By speaker where there are any."""
    return Resampling(groups=speakers if case.speakers else None)


def coverage(case: Case, runs: int) -> tuple[float, float, float]:
    """How often the interval holds the truth, is above it, is below it."""
    generator = np.random.default_rng(0)
    above = below = 0
    for _ in range(runs):
        speakers = draw_speakers(case, generator)
        found = bootstrap(*draw_scores(case, speakers, generator), how=resampling(case, speakers))
        if found is None:
            raise ValueError(f"{case}: too few to say")
        above += found.low > case.eer
        below += found.high < case.eer
    return 1 - (above + below) / runs, above / runs, below / runs


def false_differences(case: Case, runs: int) -> float:
    """How often two equally good systems differ at p < 0.05; half of their noise is shared."""
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(runs):
        speakers = draw_speakers(case, generator)
        shared, first, second = (draw_scores(case, speakers, generator) for _ in range(3))
        systems = [(shared[0] + own[0], shared[1] + own[1]) for own in (first, second)]
        test = paired_test(systems[0], systems[1], how=resampling(case, speakers))
        found += test is not None and test.p_value < 0.05
    return found / runs


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=500, help="simulated corpora a case")
    runs = parser.parse_args().runs
    print(f"{'95 % intervals of the EER':70}  holds  too high  too low")
    for case in CASES:
        holds, above, below = coverage(case, runs)
        print(
            f"{case!s:70}  {100 * holds:5.1f}  {100 * above:8.1f}  {100 * below:7.1f}", flush=True
        )
    print(f"\n{'equally good systems':70}  differ at p < 0.05 (%)")
    for case in CASES:
        print(f"{case!s:70}  {100 * false_differences(case, runs):5.1f}", flush=True)


if __name__ == "__main__":
    main()
