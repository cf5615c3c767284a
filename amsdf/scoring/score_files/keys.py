"""Keys: which trials a set has and what they are; and the speaker verification scores beside them.

Layouts are those of the ASVspoof challenges and of the corpora that evaluation meets, see
`amsdf.scoring.score_files.formats`. Columns are taken by position, so that a label is never read
off the wrong one.
"""

from pathlib import Path

import numpy as np
import polars as pl

from amsdf.contracts import BONAFIDE
from amsdf.data.manifest import read_manifest
from amsdf.metrics import AsvScores
from amsdf.registry import nearest
from amsdf.scoring.score_files.formats import (
    KEY_LAYOUTS,
    NO_ATTACK,
    read_bytes,
    read_named,
    read_positional,
    read_text,
    refuse_duplicates,
)
from amsdf.scoring.score_files.labels import label_column

ASV_KEY = {
    "asvspoof2021-asv": (
        *("speaker", "utt", "codec", "transmission", "attack", "trial", "trim", "subset"),
    )
}
ASV_SCORES = {
    "asvspoof2019-asv": ("attack", "trial", "score"),
    "asvspoof2021-asv": ("speaker", "utt", "score"),
}
TRIALS = ("target", "nontarget", "spoof")
DEFAULT_SUBSET = "eval"
_BINARY = (".parquet", ".jsonl")


def read_key(
    path: Path, layout: str | None = None, bonafide_label: int | None = None
) -> pl.DataFrame:
    """Trials of a key or protocol: `utt`, `label` (1 bona fide, 0 spoof) and what else it says.

    Understands the protocols of ASVspoof 2015 to 5, the 2021 `trial_metadata.txt`, tables with a
    header (`utt` or `filename`, `label` or `cm-label`), and our manifests. In column `attack` bona
    fide is always `-`. Where labels are 0 and 1, `bonafide_label` says which one means bona fide.
    """
    table = read_manifest(path).table if path.suffix in _BINARY else _read_words(path, layout)
    if "attack" in table.columns:
        none = pl.col("attack").is_in(NO_ATTACK)
        table = table.with_columns(attack=pl.when(none).then(pl.lit("-")).otherwise("attack"))
    if "label" not in table.columns:
        table = _label_from_attack(path, table)
    if table["label"].dtype == pl.String:
        table = table.with_columns(label=label_column(path, table, bonafide_label))
    unknown = table.filter(pl.col("label").is_null())
    if len(unknown):
        raise ValueError(f"{path}: trial {unknown['utt'][0]!r} has no label")
    if "attack" in table.columns:  # some keys name the codec or the device of real speech as well
        real = pl.col("label") == BONAFIDE
        table = table.with_columns(attack=pl.when(real).then(pl.lit("-")).otherwise("attack"))
    refuse_duplicates(str(path), table)
    return table


def _read_words(path: Path, layout: str | None) -> pl.DataFrame:
    data = read_bytes(path)
    table = read_named(path, data) if layout is None else None
    return read_positional(read_text(path, data), KEY_LAYOUTS, layout) if table is None else table


def _label_from_attack(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    if "attack" not in table.columns:
        raise ValueError(f"{path}: a key needs a label; columns: {', '.join(table.columns)}")
    none = pl.col("attack") == "-"
    words = pl.when(none).then(pl.lit("bonafide")).otherwise(pl.lit("spoof"))
    return table.with_columns(label=words)


def select_subset(name: str, table: pl.DataFrame, subset: str = DEFAULT_SUBSET) -> pl.DataFrame:
    """The rows of one subset, or with 'all' every row; a key without subsets is one whole.

    Keys call the column `subset`, manifests `split`.
    """
    column = next((name for name in ("subset", "split") if name in table.columns), None)
    known = [] if column is None else sorted(table[column].drop_nulls().unique())
    no_default = subset == DEFAULT_SUBSET and subset not in known and column != "subset"
    if subset == "all" or no_default:
        return table
    if column is None or subset not in known:
        raise ValueError(
            f"{name}: the key has no subset {subset!r}.{nearest(subset, known)} "
            f"It has: {', '.join([*known, 'all'])}"
        )
    return table.filter(pl.col(column) == subset)


def read_asv_table(
    path: Path, key: Path | None = None, subset: str = DEFAULT_SUBSET
) -> pl.DataFrame:
    """Speaker verification trials: `score`, `trial` (target, nontarget, spoof), `attack`, …

    The file of ASVspoof 2019 names class and attack itself and leaves `key` alone; that of 2021
    needs its key, with which it must agree row by row.
    """
    text = read_text(path, read_bytes(path))
    first = text.cells(text.lines.head(1))["cells"][0].to_list()
    if key is None or (len(first) > 1 and first[1] in TRIALS):
        table = read_positional(text, ASV_SCORES, "asvspoof2019-asv")
    else:
        table = read_positional(text, ASV_SCORES, "asvspoof2021-asv")
        metadata = read_positional(read_text(key, read_bytes(key)), ASV_KEY, "asvspoof2021-asv")
        table = select_subset(str(key), _beside(path, table, metadata), subset)
    strange = table.filter(~pl.col("trial").is_in(TRIALS))
    if len(strange):
        needed = "" if key else "; ASV scores of 2021 do not name their classes: give their key too"
        raise ValueError(
            f"{key or path}: ASV trial class {strange['trial'][0]!r} is not understood, "
            f"it must be {', '.join(TRIALS)}{needed}"
        )
    return _finite(path, table)


def _beside(path: Path, table: pl.DataFrame, metadata: pl.DataFrame) -> pl.DataFrame:
    if len(table) != len(metadata):
        raise ValueError(
            f"{path}: {len(table)} ASV scores for {len(metadata)} trials of the key; "
            "they are matched row by row and must be as many"
        )
    names = ["speaker", "utt"]
    differs = np.zeros(len(table), bool)
    for name in names:
        differs |= (table[name] != metadata[name]).to_numpy()
    if differs.any():
        row = int(np.argmax(differs))
        raise ValueError(
            f"{path}: ASV trial {row + 1} is {' '.join(table[names].row(row))}, in the key "
            f"{' '.join(metadata[names].row(row))}; both must list the same trials in one order"
        )
    return metadata.with_columns(table["score"])


def _finite(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    table = table.with_columns(pl.col("score").cast(pl.Float64, strict=False))
    wrong = table.with_row_index("row", 1).filter(
        pl.col("score").is_null() | ~pl.col("score").is_finite()
    )
    if len(wrong):
        raise ValueError(f"{path}: ASV score number {wrong['row'][0]} is not a finite number")
    return table


def asv_scores(table: pl.DataFrame) -> AsvScores:
    """Arrays by class from the table of `read_asv_table`."""
    of = {trial: table.filter(pl.col("trial") == trial) for trial in TRIALS}
    target, nontarget, spoof = (of[trial]["score"].to_numpy() for trial in TRIALS)
    return AsvScores(target, nontarget, spoof, of["spoof"]["attack"].to_list())
