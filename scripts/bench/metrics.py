"""How long evaluation takes at the size of the large challenges, beside the obvious way.

    python scripts/bench/metrics.py

Scores are made up: ASVspoof 2021 DF has 611 829 trials, ASVspoof 2019 LA eval 71 237. The obvious
way counts errors anew at each threshold, which only small sets allow; for intervals it sorts each
resample anew. Numbers of both ways are compared, not only their times.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from amsdf.metrics import Resampling, bootstrap, eer
from amsdf.scoring.score_files import Scores, read_scores, write_scores

Result = TypeVar("Result")
Array = np.ndarray


def made_up(num_bonafide: int, num_spoof: int) -> tuple[Array, Array]:
    """Scores of a detector with an EER of about 16 %."""
    generator = np.random.default_rng(0)
    return generator.normal(1, 1, num_bonafide), generator.normal(-1, 1, num_spoof)


def timed(call: Callable[..., Result], *arguments: Any) -> tuple[Result, float]:
    """What a call gives, and the seconds it took."""
    begin = time.perf_counter()
    return call(*arguments), time.perf_counter() - begin


def eer_by_thresholds(bonafide: Array, spoof: Array) -> float:
    """The EER by counting errors at every threshold: time grows with the square of the trials."""
    best = 2.0, 0.0
    for threshold in np.sort(np.concatenate([bonafide, spoof])):
        frr, far = np.mean(bonafide <= threshold), np.mean(spoof > threshold)
        best = min(best, (abs(frr - far), (frr + far) / 2))
    return float(best[1])


def bench_eer() -> None:
    """One EER, against counting at each threshold."""
    for size in (1_000, 4_000, 16_000):
        scores = made_up(size // 10, size - size // 10)
        naive, slow = timed(eer_by_thresholds, *scores)
        ours, fast = timed(eer, *scores)
        print(
            f"EER of {size:7} trials: by thresholds {slow:7.3f} s, ours {fast:.5f} s, "
            f"{slow / fast:.0f} times; difference {abs(naive - ours.rate):.1e}"
        )


def bench_file() -> None:
    """From a file of the size of ASVspoof 2021 DF to its EER."""
    bonafide, spoof = made_up(22_617, 589_212)
    names = [f"DF_E_{number:07}" for number in range(bonafide.size + spoof.size)]
    labels = [1] * bonafide.size + [0] * spoof.size
    values = np.concatenate([bonafide, spoof])
    with tempfile.TemporaryDirectory() as folder:
        own, words = Path(folder, "own.tsv"), Path(folder, "words.txt")
        table = pl.DataFrame({"utt": names, "score": values, "label": labels})
        write_scores(own, Scores("own", table))
        in_words = pl.col("label").replace_strict({1: "bonafide", 0: "spoof"})
        table.with_columns(in_words).write_csv(words, separator=" ", include_header=False)
        for path in (own, words):
            scores, reading = timed(read_scores, path)
            _, computing = timed(eer, scores.bonafide, scores.spoof)
            print(
                f"{path.name} of {len(scores)} trials to EER: {reading + computing:.2f} s "
                f"(reading {reading:.2f}, EER {computing:.2f})"
            )


def bench_intervals(rounds: int) -> None:
    """Intervals on a set of the size of ASVspoof 2019 LA eval."""
    scores = made_up(7_355, 63_882)
    how = Resampling()
    _, fast = timed(bootstrap, *scores, "eer", how)
    _, slow = timed(naive_bootstrap, scores, rounds)
    slow *= how.rounds / rounds
    print(
        f"interval of the EER of 71237 trials, {how.rounds} resamples: sorting anew {slow:.1f} s "
        f"(from {rounds} resamples), ours {fast:.2f} s, {slow / fast:.0f} times"
    )


def naive_bootstrap(scores: tuple[Array, Array], rounds: int) -> Array:
    """The EER of every resample, each sorted anew."""
    generator = np.random.default_rng(0)
    drawn = [[generator.choice(each, each.size) for each in scores] for _ in range(rounds)]
    return np.array([eer(*pair).rate for pair in drawn])


def main() -> None:
    """Print all comparisons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.parse_args()
    bench_eer()
    bench_file()
    bench_intervals(50)


if __name__ == "__main__":
    main()
