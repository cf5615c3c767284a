"""How long evaluation takes at the size of the large challenges, beside the obvious way.

    python scripts/bench/metrics.py

Scores are made up: ASVspoof 2021 DF has 611 829 trials, ASVspoof 2019 LA eval 71 237. The obvious
way counts errors anew at each threshold, which only small sets allow; for intervals it sorts each
resample anew. Numbers of both ways are compared, not only their times.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from _paired import processor

from amsdf.evaluation.matrix import matrix
from amsdf.evaluation.results import ResultSettings, result_of
from amsdf.metrics import Resampling, bootstrap, eer
from amsdf.scoring.score_files.table import Scores, read_scores, write_scores

Result = TypeVar("Result")
#: What was done -> seconds.
Figures = dict[str, float]
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


def bench_eer() -> Figures:
    """One EER, against counting at each threshold."""
    found = {}
    for size in (1_000, 4_000, 16_000):
        scores = made_up(size // 10, size - size // 10)
        naive, slow = timed(eer_by_thresholds, *scores)
        ours, fast = timed(eer, *scores)
        print(
            f"EER of {size:7} trials: by thresholds {slow:7.3f} s, ours {fast:.5f} s, "
            f"{slow / fast:.0f} times; difference {abs(naive - ours.rate):.1e}"
        )
        found[f"EER of {size} trials, by thresholds"] = slow
        found[f"EER of {size} trials"] = fast
    return found


def bench_file() -> Figures:
    """From a file of the size of ASVspoof 2021 DF to its EER."""
    found = {}
    bonafide, spoof = made_up(22_617, 589_212)
    names = [f"DF_E_{number:07}" for number in range(bonafide.size + spoof.size)]
    labels = [1] * bonafide.size + [0] * spoof.size
    values = np.concatenate([bonafide, spoof])
    with tempfile.TemporaryDirectory() as folder:
        own, words = Path(folder, "own.tsv"), Path(folder, "words.txt")
        speakers = np.random.default_rng(0).integers(0, 100, values.size)
        table = pl.DataFrame({"utt": names, "score": values, "label": labels, "speaker": speakers})
        write_scores(own, Scores("own", table))
        in_words = pl.col("label").replace_strict({1: "bonafide", 0: "spoof"})
        table.with_columns(in_words).drop("speaker").write_csv(
            words, separator=" ", include_header=False
        )
        for path in (own, words):
            scores, reading = timed(read_scores, path)
            _, computing = timed(eer, scores.bonafide, scores.spoof)
            print(
                f"{path.name} of {len(scores)} trials to EER: {reading + computing:.2f} s "
                f"(reading {reading:.2f}, EER {computing:.2f})"
            )
            found[f"{path.name} to EER"] = reading + computing
        for unit in ("clip", "speaker"):
            settings = ResultSettings(["eer"], resample=unit)
            _, computing = timed(result_of, read_scores(own), None, settings)
            print(
                f"{own.name} to EER with its interval by {unit}: {reading + computing:.2f} s "
                f"(reading {reading:.2f}, figures {computing:.2f})"
            )
            found[f"{own.name} to EER with its interval by {unit}"] = reading + computing
    return found


def bench_intervals(rounds: int) -> Figures:
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
    what = f"interval of the EER of 71237 trials, {how.rounds} resamples"
    return {what: fast, f"{what}, sorting anew": slow}


def naive_bootstrap(scores: tuple[Array, Array], rounds: int) -> Array:
    """The EER of every resample, each sorted anew."""
    generator = np.random.default_rng(0)
    drawn = [[generator.choice(each, each.size) for each in scores] for _ in range(rounds)]
    return np.array([eer(*pair).rate for pair in drawn])


def made_up_table(detector: int, corpus: int, trials: int = 5000) -> Scores:
    """Scores of a detector on the trials of 100 speakers; corpus and detector have their own."""
    of_corpus = np.random.default_rng(corpus)
    own = np.random.default_rng([detector, corpus])
    label, speaker = of_corpus.random(trials) < 0.3, of_corpus.integers(0, 100, trials)
    scores = 2.0 * label + of_corpus.normal(0, 0.3, 100)[speaker] + own.normal(size=trials)
    columns = {"utt": [f"{row:05}" for row in range(trials)], "score": scores, "label": label}
    table = pl.DataFrame(columns | {"speaker": speaker.astype(str)})
    return Scores("made up", table, {"detector": f"d{detector}", "corpus": f"c{corpus}"})


def bench_matrix(detectors: int, corpora: int, rounds: int) -> Figures:
    """Many detectors on many corpora, with intervals by speaker."""
    tables = [made_up_table(one, other) for one in range(detectors) for other in range(corpora)]
    settings = ResultSettings(["eer"], resample="speaker", rounds=rounds)
    begin = time.process_time()
    _, seconds = timed(lambda: matrix(tables, settings=settings))
    of_processor = time.process_time() - begin
    what = (
        f"{detectors} detectors on {corpora} corpora of {len(tables[0])} trials, {rounds} "
        "resamples by speaker"
    )
    print(f"{what}: {seconds:.0f} s, {of_processor:.0f} s of processor")
    return {what: seconds, f"{what}, of processor": of_processor}


def main() -> None:
    """Print all comparisons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--detectors", type=int, default=100, help="of the matrix (default 100)")
    parser.add_argument("--json", metavar="FILE", help="also write the seconds there")
    arguments = parser.parse_args()
    found = bench_eer() | bench_file() | bench_intervals(50)
    found |= bench_matrix(arguments.detectors, 20, 1000)
    if arguments.json:
        text = json.dumps({"processor": processor(), "seconds": found}, indent=1)
        Path(arguments.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
