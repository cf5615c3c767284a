"""Folds of a study: each source of the training corpora is left out once and tested on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.manifest import Manifest, join_manifests
from amsdf.data.manifest_writing import write_manifest
from amsdf.registry import nearest
from amsdf.training.processes import on_main

FOLDER = "folds"


class Folds(BaseModel):
    """`folds: {by: source}`; `by` is any column of the training corpora."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str


@dataclass(frozen=True)
class Fold:
    """A corpus of the parts train, dev and eval, in which one source is eval."""

    value: str
    #: What references call it: `<name>/train`, `<name>/dev`, `<name>/eval`.
    name: str

    def part(self, split: str) -> str:
        """The reference of a part."""
        return f"{self.name}/{split}"


def write_folds(
    folds: Folds,
    train: Sequence[str],
    dev: Sequence[str],
    roots: Mapping[str, Path],
    out: Path,
) -> tuple[list[Fold], dict[str, Path]]:
    """Write a manifest for each fold below `out`; the folds, and where their names are.

    Args:
        folds: The column to part by.
        train: References of the corpora that are parted.
        dev: References of the corpora to choose by, without the clips of the source left out. If
            there are none, the next source is taken for it.
        roots: Names of corpora and where they are.
        out: The folder of the study.
    """
    if not train:
        raise ValueError("study: folds need the corpora to part: give them as train")
    whole = join_manifests([open_corpus(name, roots) for name in train])
    apart = join_manifests([open_corpus(name, roots) for name in dev]) if dev else None
    values = _sources(folds.by, whole, fewest=2 if apart else 3)
    found, places = [], dict(roots)
    for number, value in enumerate(values):
        following = values[(number + 1) % len(values)]
        fold = Fold(value, f"{folds.by}-{re.sub(r'[^A-Za-z0-9.]+', '_', value)}")
        if fold.name in places:
            raise ValueError(f"study: folds: two corpora would be called {fold.name!r}; rename one")
        places[fold.name] = out / FOLDER / fold.name
        manifest = Manifest(fold.name, _parted(whole, apart, folds.by, value, following))
        on_main(partial(_write, manifest, places[fold.name]))
        found.append(fold)
    return found, places


def _write(manifest: Manifest, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(manifest, folder / "manifest.parquet")


def _sources(column: str, whole: Manifest, fewest: int) -> list[str]:
    """Values with clips of both classes; those of one class stay in training."""
    if column not in whole.table.columns:
        known = whole.table.columns
        raise ValueError(
            f"study: folds: {whole.name} has no column {column!r}.{nearest(column, known)} "
            f"It has: {', '.join(known)}"
        )
    labels = whole.table.group_by(pl.col(column).cast(pl.String)).agg(pl.col("label").n_unique())
    both = labels.filter(pl.col("label") == 2)[column].drop_nulls().sort().to_list()
    if len(both) < fewest:
        raise ValueError(
            f"study: folds by {column}: {len(both)} of its values have both classes; it needs "
            f"{fewest}" + ("" if fewest == 2 else ", or 2 if the study names dev corpora")
        )
    return both


def _parted(
    whole: Manifest, apart: Manifest | None, column: str, value: str, following: str
) -> pl.DataFrame:
    name = pl.col(column).cast(pl.String)
    is_dev = name == following if apart is None else pl.lit(False)
    split = pl.when(name == value).then(pl.lit("eval")).when(is_dev).then(pl.lit("dev"))
    table = whole.table.with_columns(split=split.otherwise(pl.lit("train")))
    if apart is None:
        return table
    other = apart.table.with_columns(split=pl.lit("dev"))
    if column in other.columns:
        other = other.filter((name != value).fill_null(True))
    if set(table["utt"]) & set(other["utt"]):
        other = other.with_columns(utt=pl.format("dev/{}", "utt"))
    return pl.concat([table, other], how="diagonal_relaxed")
