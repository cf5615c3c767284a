"""One recipe trained with several seeds: best, average and vote, as in the table of AMSDF.

Seeds decide more than most ideas do (a factor of 3 in AMSDF's own table), so the spread is given
too. "Best" is the lowest EER on the very set it is reported on: it flatters, and is only there to
be compared with tables that show it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from amsdf.evaluation.results import Result, ResultSettings, eer_of, result_of
from amsdf.evaluation.systems.fusion import vote
from amsdf.scoring.score_files.table import Scores, corpus_of, detector_of

#: Key in the header of scores whose detectors are seeds of one recipe.
ONE_RECIPE = "one_recipe"
_SEED = re.compile(r"^(.*?)[-_./ ]*seed[-_=]?(\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class SeedSummary:
    """Several seeds on one corpus; rates are fractions, `spread` is a standard deviation."""

    recipe: str
    corpus: str
    eers: tuple[float, ...]
    best: float
    average: float
    spread: float
    vote: Result


def best_average_vote(
    systems: Sequence[Scores], settings: ResultSettings | None = None
) -> SeedSummary:
    """The summary of one recipe on one corpus: `systems` are its seeds, on the same trials."""
    corpora = {corpus_of(system) for system in systems}
    if len(systems) < 2 or len(corpora) != 1:
        raise ValueError(
            f"{len(systems)} score tables over {len(corpora)} corpora given; "
            "best, average and vote need two seeds or more on one corpus"
        )
    names = [detector_of(system) for system in systems]
    eers = []
    for system in systems:
        rate = eer_of(system)
        if rate is None:
            raise ValueError(f"{corpora.pop()}: one class only, so its seeds have no EER")
        eers.append(rate)
    recipe = _recipe(names)
    voted = result_of(vote(systems), settings=settings)
    return SeedSummary(
        recipe=recipe,
        corpus=corpora.pop(),
        eers=tuple(eers),
        best=min(eers),
        average=float(np.mean(eers)),
        spread=float(np.std(eers, ddof=1)),
        vote=replace(voted, detector=f"{recipe} (vote of {len(systems)})"),
    )


def _recipe(names: Sequence[str]) -> str:
    stems = {found[1] for name in names if (found := _SEED.match(name))}
    return stems.pop() if len(stems) == 1 else " + ".join(names)


def as_seeds(scores: Sequence[Scores]) -> list[Scores]:
    """The tables, marked as of one recipe trained with several seeds, whatever their names."""
    return [replace(table, header={**table.header, ONE_RECIPE: "yes"}) for table in scores]


def seed_groups(scores: Sequence[Scores]) -> list[list[Scores]]:
    """Tables of one recipe, two or more a corpus.

    They are marked by `as_seeds`, or named alike but for `seed<number>` at the end.
    """
    groups: dict[tuple[str, str], list[Scores]] = {}
    for table in scores:
        found = _SEED.match(detector_of(table))
        if ONE_RECIPE in table.header or found:
            recipe = "" if ONE_RECIPE in table.header or not found else found[1]
            groups.setdefault((recipe, corpus_of(table)), []).append(table)
    return [group for group in groups.values() if len(group) > 1]
