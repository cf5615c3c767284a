"""Findings in single clips: those that cannot be used, and odd ones."""

from typing import NamedTuple

import polars as pl

from amsdf.data.audit.findings import Finding, about, some
from amsdf.data.audit.measures.clip_measures import SHORTEST

#: Why a clip cannot be used -> what is said of several such clips, and what to do.
UNUSABLE = {
    "missing": ("are missing", "copy the files, or drop their rows"),
    "unreadable": ("cannot be read", "copy or download them again, or drop their rows"),
    "empty": ("have no samples", "record or export them again, or drop their rows"),
    "not finite": ("have samples that are no numbers", "export them again"),
    "silent": ("are silent", "drop their rows"),
    "too short": (f"are shorter than {SHORTEST:g} s", "drop their rows: there is no word in them"),
}


class _Oddity(NamedTuple):
    """What single clips are noted for."""

    kind: str
    where: pl.Expr
    what: str
    advice: str


_LOUDNESS = 10 ** (pl.col("level") / 20)
_SAMPLES = pl.col("duration") * pl.col("sample_rate")
#: The mean of a few samples of noise is not zero either.
_OFFSET = _LOUDNESS * pl.max_horizontal(0.05, 5 / _SAMPLES.sqrt())
ODDITIES = (
    _Oddity(
        "clipped",
        pl.col("clipped_share") > 0,
        "are clipped (some samples running stay at full scale)",
        "a detector may learn the distortion",
    ),
    _Oddity(
        "dc-offset",
        (pl.col("dc_offset") > 0.002) & (pl.col("dc_offset") > _OFFSET),
        "have a DC offset (the samples do not lie around zero)",
        "subtract the mean",
    ),
    _Oddity(
        "zero-gap",
        pl.col("zero_gap") >= 0.01,
        "hold gaps of zeros inside the sound (10 ms or more)",
        "samples were lost, or pauses muted",
    ),
    _Oddity(
        "leading-silence",
        pl.col("leading_silence") >= 0.5,
        "begin with half a second of silence or more",
        "cut it off in both classes alike",
    ),
    _Oddity(
        "trailing-silence",
        pl.col("trailing_silence") >= 0.5,
        "end with half a second of silence or more",
        "cut it off in both classes alike",
    ),
    _Oddity(
        "faint", pl.col("level") < -60, "are nearly silent (below -60 dB)", "amplify or drop them"
    ),
)
#: Measures of which a corpus should have one value.
_ALIKE = {"sample_rate": ("sample rate", " Hz"), "channels": ("number of channels", "")}


def find_in_clips(clips: pl.DataFrame) -> list[Finding]:
    """Findings of each part, by kind.

    Args:
        clips: Rows with `part`, `utt`, `label` and `ClipMeasures`.
    """
    parts = clips.partition_by("part", maintain_order=True)
    found = [_unusable(rows, problem) for problem in UNUSABLE for rows in parts]
    found += [_odd(rows, oddity) for oddity in ODDITIES for rows in parts]
    found += [_mixed(rows, measure) for measure in _ALIKE for rows in parts]
    return [finding for finding in found if finding]


def _unusable(rows: pl.DataFrame, problem: str) -> Finding | None:
    what, advice = UNUSABLE[problem]
    bad = rows.filter(pl.col("problem") == problem)
    if not len(bad):
        return None
    reason = f" (the first {bad['detail'][0]})" if problem == "unreadable" else ""
    text = f"{about(len(bad), what)}: {some(bad['utt'])}{reason}"
    kind = problem.replace(" ", "-")
    return Finding(rows["part"][0], kind, text, advice, utts=tuple(bad["utt"]))


def _odd(rows: pl.DataFrame, oddity: _Oddity) -> Finding | None:
    utts = tuple(rows.filter(oddity.where)["utt"])
    if not utts:
        return None
    text = f"{about(len(utts), oddity.what)}: {some(utts)}"
    return Finding(rows["part"][0], oddity.kind, text, oddity.advice, serious=False, utts=utts)


def _mixed(rows: pl.DataFrame, measure: str) -> Finding | None:
    counts = rows.drop_nulls(measure)[measure].value_counts(sort=True)
    if len(counts) < 2:
        return None
    name, unit = _ALIKE[measure]
    listed = [f"{value:g}{unit} ({number:,})" for value, number in counts.iter_rows()]
    rarest = counts[measure][-1]
    utts = tuple(rows.filter(pl.col(measure) == rarest)["utt"])
    text = f"clips differ in {name}: {', '.join(listed)}; {rarest:g}{unit}: {some(utts)}"
    advice = "convert them alike, or a detector may learn the difference"
    kind = f"mixed-{measure.replace('_', '-')}"
    return Finding(rows["part"][0], kind, text, advice, serious=False, utts=utts)
