"""What is drawn together when trials are resampled: clips, or all of a speaker or a source."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.metrics.intervals import LEAST_CLIPS, LEAST_EFFECTIVE, LEAST_GROUPS
from amsdf.metrics.resampling import Groups, effective_number
from amsdf.registry import nearest
from amsdf.scoring.score_files.table import Scores, corpus_of, detector_of

#: The unit that is taken where the table knows it, the widest first.
_KNOWN = ("source", "speaker")
AUTO, CLIP = "auto", "clip"
POOLED = "pooled"


@dataclass(frozen=True)
class Unit:
    """What is drawn whole: the values of a column, or single clips."""

    name: str
    #: How many there are, in the class with fewer.
    count: int
    #: Clips of the class with fewer.
    clips: int
    groups: Groups | None = None
    #: How many of one size would say as much, in the class with fewer.
    effective: float = float("inf")

    @property
    def text(self) -> str:
        """`by speaker, 67`, or why there is no interval."""
        if self.clips < LEAST_CLIPS:
            return f"too few: {self.clips} clip{'s' * (self.clips != 1)}"
        if self.groups is None:
            return "by clip"
        if self.count < LEAST_GROUPS:
            return f"too few: {self.count} {self.name}{'s' * (self.count != 1)}"
        if self.effective < LEAST_EFFECTIVE:
            return f"too few: one {self.name} has most clips"
        return f"by {self.name}, {self.count}"


def unit_of(scores: Scores, wanted: str = AUTO) -> Unit:
    """The unit of a table: `clip`, a column, or `auto`: by source, else by speaker, else by clip.

    Sources count as the unit from 5 on; a trial without a value is a unit of its own.
    """
    table = scores.table
    if wanted not in (AUTO, CLIP, *table.columns[3:]):
        known = [CLIP, *table.columns[3:]]
        raise ValueError(
            f"--resample {wanted}: {scores.name} has no such column.{nearest(wanted, known)} "
            f"There are: {', '.join(known)}"
        )
    if wanted == CLIP:
        return _by_clip(table)
    if wanted != AUTO:
        return _by_column(table, wanted)

    known = [name for name in _KNOWN if name in table.columns and table[name].count()]
    units = [_by_column(table, name) for name in known]
    return next((unit for unit in units if unit.count >= LEAST_GROUPS), None) or (
        units[-1] if units and known[-1] == "speaker" else _by_clip(table)
    )


def _by_clip(table: pl.DataFrame) -> Unit:
    sizes = [len(table.filter(pl.col("label") == label)) for label in (BONAFIDE, SPOOF)]
    fewest = min((size for size in sizes if size), default=0)
    return Unit(CLIP, fewest, fewest)


def _by_column(table: pl.DataFrame, column: str) -> Unit:
    groups = [table.filter(pl.col("label") == label)[column] for label in (BONAFIDE, SPOOF)]
    sizes = [
        [*each.drop_nulls().value_counts()["count"], *[1] * each.null_count()]
        for each in groups
        if len(each)
    ]
    return Unit(
        name=column,
        count=min(map(len, sizes), default=0),
        clips=min(map(sum, sizes), default=0),
        groups=(groups[0].to_list(), groups[1].to_list()),
        effective=min(map(effective_number, sizes), default=0.0),
    )


def pool(tables: Sequence[Scores], unit: str = AUTO) -> Scores:
    """All trials of one detector; ids and speakers get their corpus in front: they may repeat.

    A corpus that does not say its sources is one source. The column `unit` is kept too.
    """
    parts = []
    for table in tables:
        corpus = corpus_of(table)
        named = pl.format("{}/{}", pl.lit(corpus), pl.col("utt")).alias("utt")
        kept = [
            pl.format("{}/{}", pl.lit(corpus), pl.col(column)).alias(column)
            for column in dict.fromkeys((*_KNOWN, unit))
            if column in table.table.columns[3:]
        ]
        part = table.table.select(named, "score", "label", *kept)
        if "source" not in part.columns:
            part = part.with_columns(source=pl.lit(corpus))
        parts.append(part)
    header = {"detector": detector_of(tables[0]), "corpus": POOLED}
    return Scores(POOLED, pl.concat(parts, how="diagonal"), header)
