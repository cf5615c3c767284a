"""Score tables: what a detector said about every trial, on disk as one TSV that anybody can read.

    # amsdf {"name": "aasist", "detector": "4f1c…"}
    utt	score	label	attack
    LA_E_2834763	-3.25	spoof	A11

Every table and picture is computed from such files, without audio or model.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from amsdf.audio.files.sources import SUFFIXES
from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.files import make_folder_of, write_text
from amsdf.scoring.score_files.formats import (
    SCORE_LAYOUTS,
    read_bytes,
    read_named,
    read_positional,
    read_text,
    refuse_duplicates,
    score_column,
)
from amsdf.scoring.score_files.keys import DEFAULT_SUBSET, read_key, select_subset
from amsdf.scoring.score_files.labels import has_numbers, known_bonafide_label, label_column

COLUMNS = {"utt": pl.String, "score": pl.Float64, "label": pl.Int8}
LABELS = {BONAFIDE: "bonafide", SPOOF: "spoof"}
MAGIC = "# amsdf "


@dataclass(frozen=True)
class Foreign:
    """How score files of other projects are to be understood; our own say everything themselves."""

    #: Name of a headerless format, where the content fits several or none.
    layout: str | None = None
    #: A higher score means spoof. Nothing is ever negated by itself.
    negate: bool = False
    #: Where labels are 0 and 1: the one that means bona fide.
    bonafide_label: int | None = None


@dataclass(frozen=True)
class Scores:
    """Scores of one detector on one set of trials; higher = more bona fide.

    `table` has `utt` (unique), `score` (finite), `label` (1 bona fide, 0 spoof, null unknown) and
    any others, which breakdowns use. `header` says how the scores came to be.
    """

    name: str
    table: pl.DataFrame
    header: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self.table
        for column in ("utt", "score"):
            if column not in table.columns:
                raise ValueError(
                    f"{self.name}: scores have no column {column!r}; "
                    f"columns: {', '.join(table.columns)}"
                )
        if "label" not in table.columns:
            table = table.with_columns(label=pl.lit(None, pl.Int8))
        table = table.select(*COLUMNS, pl.exclude(*COLUMNS)).cast(COLUMNS)  # type: ignore[arg-type]
        object.__setattr__(self, "table", table)
        _check_scores(self.name, table)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def bonafide(self) -> NDArray[np.float64]:
        """Scores (n,) of the bona fide trials."""
        return self._of(BONAFIDE)

    @property
    def spoof(self) -> NDArray[np.float64]:
        """Scores (n,) of the spoofed trials."""
        return self._of(SPOOF)

    def _of(self, label: int) -> NDArray[np.float64]:
        unknown = self.table["label"].null_count()
        if unknown:
            raise ValueError(
                f"{self.name}: {unknown} of {len(self)} trials have no label; join them with a key"
            )
        return self.table.filter(pl.col("label") == label)["score"].to_numpy()


def _check_scores(name: str, table: pl.DataFrame) -> None:
    if not len(table):
        raise ValueError(f"{name}: holds no trial")
    nameless = table.filter(pl.col("utt").is_null() | (pl.col("utt") == ""))
    if len(nameless):
        raise ValueError(f"{name}: {len(nameless)} trials have no id")
    wrong = table.filter(pl.col("score").is_null() | ~pl.col("score").is_finite())
    if len(wrong):
        others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        score = "missing" if wrong["score"][0] is None else wrong["score"][0]
        raise ValueError(f"{name}: trial {wrong['utt'][0]!r} has score {score}{others}")
    refuse_duplicates(name, table)
    strange = table.filter(~pl.col("label").is_in(list(LABELS)))
    if len(strange):
        raise ValueError(
            f"{name}: trial {strange['utt'][0]!r} has label {strange['label'][0]}; "
            f"it must be {BONAFIDE} (bona fide), {SPOOF} (spoof) or empty"
        )


def detector_of(scores: Scores) -> str:
    """The name of the detector, from the header."""
    return scores.header.get("detector", "detector")


def corpus_of(scores: Scores) -> str:
    """The name of the corpus, from the header or the table's own name."""
    return scores.header.get("corpus", scores.name)


def class_scores(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the bona fide (Nb,) and of the spoof trials (Ns,); unlabelled ones are left out."""
    real, fake = (
        scores.table.filter(pl.col("label") == label)["score"].to_numpy()
        for label in (BONAFIDE, SPOOF)
    )
    return real, fake


def require_score_file(path: Path) -> None:
    """Refuse to write over a recording, a manifest or any other file that holds no scores."""
    make_folder_of(path)
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC.encode():
                raise ValueError(f"{path}: exists and is not a score file; give another --out")


def write_scores(path: Path, scores: Scores) -> None:
    """Write our TSV: complete or not at all, replacing what was there."""
    words = pl.col("label").replace_strict(LABELS, return_dtype=pl.String)
    table = scores.table.with_columns(words).with_columns(pl.exclude("score").cast(pl.String))
    header = MAGIC + json.dumps({**scores.header, "name": scores.name}, ensure_ascii=False)
    write_text(path, header + "\n" + table.write_csv(separator="\t"))


def read_scores(
    path: Path,
    key: Path | pl.DataFrame | None = None,
    subset: str = DEFAULT_SUBSET,
    how: Foreign | None = None,
) -> Scores:
    """Scores from our TSV or from any format that the field publishes, told by content.

    Args:
        path: The file; gzip is understood.
        key: Where labels and conditions come from, see `join`.
        subset: The part of the key to score, or 'all'.
        how: How files of other projects are to be understood.
    """
    how = how or Foreign()
    data = read_bytes(path)
    header: dict[str, str] = {}
    if data.startswith(MAGIC.encode()):
        first, _, data = data.partition(b"\n")
        header = _header(path, first)
    table = read_named(path, data) if how.layout is None else None
    if table is None:
        table = read_positional(read_text(path, data), SCORE_LAYOUTS, how.layout)
    if "score" not in table.columns:
        raise ValueError(f"{path}: has no scores; columns: {', '.join(table.columns)}")
    table = table.with_columns(score=score_column(path, table))
    if how.negate and not header:
        table = table.with_columns(-pl.col("score"))
    if "label" in table.columns:
        bonafide_label = how.bonafide_label
        if has_numbers(table):
            if bonafide_label is None:
                bonafide_label = known_bonafide_label(data, len(table))
            else:
                header["bonafide_label"] = str(bonafide_label)
        table = table.with_columns(label=label_column(path, table, bonafide_label))
    scores = Scores(header.pop("name", Path(path.name.removesuffix(".gz")).stem), table, header)
    if key is None:
        return scores
    trials = read_key(key, None, how.bonafide_label) if isinstance(key, Path) else key
    return join(scores, trials, subset)


def _header(path: Path, line: bytes) -> dict[str, str]:
    try:
        header = json.loads(line.decode().removeprefix(MAGIC))
    except ValueError as error:
        raise ValueError(f"{path}: its first line is not our header: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path}: its first line is not our header: not a JSON object")
    return {str(key): str(value) for key, value in header.items()}


def join(scores: Scores, key: pl.DataFrame, subset: str = DEFAULT_SUBSET) -> Scores:
    """Scores with the labels and columns of a key, matched by id; every trial exactly once.

    Scores of the key's other subsets are left out. Trials without score, scores the key does not
    know, and labels that contradict it are refused. Where no id is known as it is, ids may
    differ by the suffix of a sound file.
    """
    refuse_duplicates(f"{scores.name}: key", key)
    scores, key = spelled_as(scores, key), key.drop("score", strict=False)
    every = key.join(scores.table, on="utt", how="left", maintain_order="left", suffix=" scored")
    wanted = select_subset(scores.name, every, subset)
    unscored = wanted.filter(pl.col("score").is_null())
    known = len(every) - every["score"].null_count()
    strangers = scores.table.head(0)
    if known < len(scores):
        strangers = scores.table.join(key, on="utt", how="anti", maintain_order="left")
    problems = [
        f"{len(odd)} {what} ({', '.join(map(repr, odd['utt'].head(3)))}{'…' * (len(odd) > 3)})"
        for odd, what in (
            (unscored, "trials of the key have no score"),
            (strangers, "scores are of trials not in the key"),
        )
        if len(odd)
    ]
    if problems:
        raise ValueError(
            f"{scores.name}: {' and '.join(problems)}; {len(scores)} scores, {len(wanted)} trials"
        )
    against = wanted.filter(pl.col("label") != pl.col("label scored"))
    if len(against):
        utt, label = against["utt"][0], LABELS[against["label"][0]]
        raise ValueError(
            f"{scores.name}: {len(against)} trials have another label than in the key; "
            f"first {utt!r}, which the key calls {label}"
        )
    table = wanted.select(pl.exclude(r"^.* scored$"))
    return Scores(scores.name, table, scores.header)


def spelled_as(scores: Scores, key: pl.DataFrame) -> Scores:
    """Scores whose ids have, or lack, the suffix of a sound file as those of the key do."""
    if scores.table["utt"].is_in(key["utt"].implode()).any():
        return scores
    suffix = rf"(?i)({'|'.join(map(re.escape, sorted(SUFFIXES)))})$"
    stems = key["utt"].str.replace(suffix, "")
    if stems.n_unique() < len(stems):
        return scores
    stem = pl.col("utt").str.replace(suffix, "")
    spelled = scores.table.with_columns(stem.replace(stems, key["utt"]))
    return Scores(scores.name, spelled, scores.header)
