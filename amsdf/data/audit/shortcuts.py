"""Shortcuts: what separates the classes of a corpus without listening.

A detector learns the file format or the leading silence if that is enough. Each measure is tried
as the only feature. It may work in either direction. So its EER is reported as it is, and its
`separation` = max(EER, 1 - EER) too: 0.5 is none, 1.0 is perfect. The separation is not an EER.
"""

import numpy as np
import polars as pl

from amsdf.conventions import BONAFIDE, SPOOF
from amsdf.metrics import eer_collapsed

MEASURES = ("duration", "sample_rate", "bandwidth", "level", "leading_silence", "format")
NOTABLE = 0.6
SUSPICIOUS = 0.75


def find_shortcuts(clips: pl.DataFrame) -> pl.DataFrame:
    """The EER of each lone feature.

    Args:
        clips: Rows with `label` and the numbers of `ClipMeasures`, of one corpus.

    Returns:
        Rows `feature, eer, separation, bonafide, spoof`, the most separating first; the last two
        are the typical values. No rows where a class is missing.
    """
    clips = clips.drop_nulls(["label", *MEASURES])
    real, fake = (clips.filter(pl.col("label") == label) for label in (BONAFIDE, SPOOF))
    if not len(real) or not len(fake):
        return pl.DataFrame(schema=_SCHEMA)
    rows = [_row(name, clips) for name in MEASURES]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("separation", descending=True)


_SCHEMA = {
    "feature": pl.String,
    "eer": pl.Float64,
    "separation": pl.Float64,
    "bonafide": pl.String,
    "spoof": pl.String,
}


def _row(name: str, clips: pl.DataFrame) -> tuple[str, float, float, str, str]:
    values = clips.with_columns(score=_score(name))
    real, fake = (values.filter(pl.col("label") == label) for label in (BONAFIDE, SPOOF))
    # Ties collapsed: sample rates tie by the thousand, and a constant must come out at one half.
    rate = eer_collapsed(real["score"].to_numpy(), fake["score"].to_numpy()).rate
    return name, rate, max(rate, 1 - rate), _typical(real[name]), _typical(fake[name])


def _score(name: str) -> pl.Expr:
    """The number itself; for a word, how often it is bona fide."""
    if name == "format":
        return pl.col("label").mean().over("format")
    return pl.col(name)


def _typical(values: pl.Series) -> str:
    if values.dtype == pl.String:
        return str(values.mode().sort()[0])
    return f"{np.median(values.to_numpy()):.5g}"
