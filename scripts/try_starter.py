"""Try a detector on sources in everyday conditions: `python scripts/try_starter.py CORPORA SOURCE…`

Every recording is judged as it is and in the eight conditions of `starter_conditions.py`. Printed
for each condition: EER of all sources together, with a 95 % interval by source, the shares of real
recordings called fake, of fakes called real, and of both about which nothing can be told.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starter_conditions import CONDITIONS, prepared
from tqdm import tqdm
from train_starter import clips_of

from amsdf import Judge, load
from amsdf.conventions import SAMPLE_RATE
from amsdf.data.augmentations.contract import Augmentation
from amsdf.metrics import eer

#: Draws of sources for an interval.
DRAWS = 1000


@dataclass(frozen=True)
class Judged:
    """What a detector says of one recording."""

    source: str
    is_real: bool
    score: float
    decision: str


def judged(
    judge: Judge, corpora: Path, source: str, change: Augmentation | None, condition: str
) -> Iterator[Judged]:
    """Every recording of a source in one condition."""
    for waveform, row in clips_of(corpora, source, change, condition):
        verdict = judge(waveform, sampling_rate=SAMPLE_RATE)
        if verdict.score is not None:
            yield Judged(source, row["label"] == 1, verdict.score, verdict.decision)


def pooled_eer(found: Sequence[Judged]) -> float:
    """EER in percent; not a number without both classes."""
    real = [one.score for one in found if one.is_real]
    fake = [one.score for one in found if not one.is_real]
    return 100 * eer(real, fake).rate if real and fake else float("nan")


def interval(found: Sequence[Judged]) -> tuple[float, float]:
    """The 95 % interval of the pooled EER: sources are drawn, whole."""
    by_source: dict[str, list[Judged]] = {}
    for one in found:
        by_source.setdefault(one.source, []).append(one)
    names, draws = sorted(by_source), np.random.default_rng(1)
    rates = [
        pooled_eer([one for name in draws.choice(names, len(names)) for one in by_source[name]])
        for _ in range(DRAWS)
    ]
    low, high = np.nanpercentile(rates, [2.5, 97.5])
    return float(low), float(high)


def share(found: Sequence[Judged], is_real: bool, decision: str) -> str:
    """Share of one class that gets a decision, in percent."""
    decisions: NDArray[np.bool_] = np.array(
        [one.decision == decision for one in found if one.is_real is is_real]
    )
    return f"{100 * decisions.mean():.1f}" if len(decisions) else "-"


def line(name: str, found: Sequence[Judged]) -> str:
    """One row of the table."""
    low, high = interval(found)
    shares = [share(found, real, decision) for real, decision in COLUMNS]
    return f"| {name} | {pooled_eer(found):.1f} [{low:.1f}, {high:.1f}] | {' | '.join(shares)} |"


COLUMNS = ((True, "fake"), (True, "cannot tell"), (False, "real"), (False, "cannot tell"))


def main(arguments: Sequence[str] | None = None) -> None:
    """One table of conditions, one of sources as they are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--detector", default="starter")
    parser.add_argument("--clean", action="store_true", help="as they are only")
    options = parser.parse_args(arguments)

    judge = load(options.detector, device="cpu")
    conditions = {} if options.clean else CONDITIONS
    print("| condition | EER % | real: fake % | cannot tell % | fake: real % | cannot tell % |")
    print("|---|---|---|---|---|---|")
    clean: list[Judged] = []
    for name in ("as it is", *conditions):
        change = prepared(CONDITIONS[name]) if name in CONDITIONS else None
        found = [
            one
            for source in tqdm(options.sources, desc=name, leave=False)
            for one in judged(judge, options.corpora, source, change, name)
        ]
        clean = clean or found
        print(line(name, found), flush=True)

    for source in options.sources:
        own = [one for one in clean if one.source == source]
        shares = [share(own, real, decision) for real, decision in COLUMNS]
        print(f"| {source} | {pooled_eer(own):.1f} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
