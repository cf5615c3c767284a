"""Shortcuts: what separates the classes of a corpus without listening.

A detector learns the file format or the leading silence if that is enough. Each measure is tried
as the only feature. It may work in either direction. So its `separation` is max(EER, 1 - EER):
0.5 is none, 1.0 is perfect. The separation is not an EER.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import chi2_contingency, fisher_exact, mannwhitneyu

from amsdf.conventions import BONAFIDE, SPOOF
from amsdf.metrics import eer_collapsed


class Measure(NamedTuple):
    """What is measured of a clip: what people call it, its unit, and the least difference."""

    name: str
    unit: str = ""
    #: What differs by less is taken for equal: nobody could hear or use it.
    step: float = 1.0


MEASURES = {
    "format": Measure("file format"),
    "sample_rate": Measure("sample rate", " Hz"),
    "channels": Measure("number of channels"),
    "duration": Measure("length", " s", 0.01),
    "level": Measure("level", " dB", 0.1),
    "noise_floor": Measure("level of the background", " dB", 0.1),
    "dc_offset": Measure("DC offset", " % of full scale", 1e-4),
    "bandwidth": Measure("highest frequency", " Hz", 10.0),
    "leading_silence": Measure("silence before the sound", " s", 0.01),
    "trailing_silence": Measure("silence after the sound", " s", 0.01),
    "zero_gap": Measure("longest gap of zeros", " s", 0.005),
    "zero_share": Measure("share of zeros", " %", 0.001),
    "clipped_share": Measure("share of clipped samples", " %", 1e-4),
}
#: Measures of a few values, which are compared as words.
WORDS = ("format", "sample_rate", "channels")
NOTABLE = 0.65
SUSPICIOUS = 0.75
#: By so much the distance from the median must separate better than the measure itself.
_PLAINER = 0.05
#: With fewer clips of a class nothing is said of a measure.
FEWEST = 3


def find_shortcuts(clips: pl.DataFrame) -> pl.DataFrame:
    """How well each lone measure separates the classes.

    Args:
        clips: Rows with `label` and the numbers of `ClipMeasures`, of one corpus.

    Returns:
        Rows `measure, separation, p_value, spread, bonafide, spoof`, the most separating first.
        The p value is corrected for the number of measures (Holm). With `spread` it is not the
        measure that separates but its distance from the common median: one class varies less. The
        last two are the typical values. No rows with fewer than three clips of a class.
    """
    clips = clips.drop_nulls(["label", *MEASURES])
    real, fake = (clips.filter(pl.col("label") == label) for label in (BONAFIDE, SPOOF))
    if min(len(real), len(fake)) < FEWEST:
        return pl.DataFrame(schema=_SCHEMA)
    rows = [_row(name, clips) for name in MEASURES]
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("p_value")
    left = int((table["separation"] > 0.5).sum()) - pl.int_range(pl.len())  # a constant is no test
    holm = (pl.col("p_value") * left.clip(1)).cum_max().clip(upper_bound=1.0)
    return table.with_columns(p_value=holm).sort("separation", descending=True, maintain_order=True)


_SCHEMA = {
    "measure": pl.String,
    "separation": pl.Float64,
    "p_value": pl.Float64,
    "spread": pl.Boolean,
    "bonafide": pl.String,
    "spoof": pl.String,
}


def _row(name: str, clips: pl.DataFrame) -> tuple[str, float, float, bool, str, str]:
    label = clips["label"].to_numpy() == BONAFIDE
    values = clips[name]
    real, fake = (_typical(name, values.filter(pl.Series(which))) for which in (label, ~label))
    if name in WORDS:
        score = clips.select(pl.col("label").mean().over(name)).to_series().to_numpy()
        tried = [(_separation(score, label), _p_of_words(values, label), False)]
    else:
        number = in_steps(name, values)
        distance = np.abs(number - np.median(number))
        tried = [
            (_separation(score, label), min(1.0, 2 * _p_of_numbers(score, label)), spread)
            for score, spread in ((number, False), (distance, True))
        ]
    separation, p_value, spread = max(tried, key=lambda found: found[0] - _PLAINER * found[2])
    return name, separation, p_value, spread, real, fake


def in_steps(name: str, values: pl.Series) -> np.ndarray:
    """A measure of clips as whole numbers of its steps."""
    return np.round(values.to_numpy() / MEASURES[name].step)


def _separation(score: np.ndarray, label: np.ndarray) -> float:
    # Ties collapsed: sample rates tie by the thousand, and a constant must come out at one half.
    rate = eer_collapsed(score[label], score[~label]).rate
    return max(rate, 1 - rate)


def _p_of_numbers(score: np.ndarray, label: np.ndarray) -> float:
    if np.ptp(score) == 0:
        return 1.0
    return float(mannwhitneyu(score[label], score[~label]).pvalue)


def _p_of_words(values: pl.Series, label: np.ndarray) -> float:
    _, codes = np.unique(values.to_numpy().astype(str), return_inverse=True)
    width = int(codes.max()) + 1
    counts = np.stack([np.bincount(codes[which], minlength=width) for which in (label, ~label)])
    if width == 1:
        return 1.0
    return float(fisher_exact(counts)[1] if width == 2 else chi2_contingency(counts)[1])


def _typical(name: str, values: pl.Series) -> str:
    unit = MEASURES[name].unit
    if name in WORDS:
        value = values.mode().sort()[0]
        share = (values == value).mean()
        word = value if isinstance(value, str) else f"{value:g}"
        return f"{word}{unit}" + ("" if share == 1 else f" ({100 * float(share or 0):.0f} %)")
    scale = 100 if unit.startswith(" %") else 1
    return f"{scale * float(np.median(values.to_numpy())):.3g}{unit}"
