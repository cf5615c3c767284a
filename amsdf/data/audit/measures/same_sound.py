"""Clips of a corpus that are the same sound: copies, and copies that were changed a little."""

from functools import lru_cache

import numpy as np
import polars as pl
import soxr
from tqdm import tqdm

from amsdf.audio.files.recording import Recording
from amsdf.audio.files.sources import AudioError
from amsdf.data.audit.measures.fingerprints import alike, correlation

#: Correlation of the samples from which two clips are nearly the same sound.
NEARLY = 0.9
#: From here on, the two can hardly have two labels.
SURELY = 0.98
#: So many candidates are listened to at most.
MAX_PAIRS = 20_000
_RATE = 8_000
_LISTENED = 5.0
_PAIR = {
    "utt": pl.String,
    "part": pl.String,
    "label": pl.Int8,
    "first": pl.String,
    "first_part": pl.String,
    "first_label": pl.Int8,
    "likeness": pl.Float64,
}


def find_same(clips: pl.DataFrame, progress: bool = False) -> pl.DataFrame:
    """Pairs of clips that are the same sound.

    Args:
        clips: Rows with `part`, `utt`, `path`, `label` and `ClipMeasures`.
        progress: Show a bar.

    Returns:
        Rows `utt, part, label, first, first_part, first_label, likeness`: a later clip and an
        earlier one; their likeness is 1 where all samples are equal.
    """
    heard = clips.drop_nulls("content").with_row_index("place")
    equal = heard.join(heard.unique("content", keep="first", maintain_order=True), on="content")
    equal = equal.filter(pl.col("place") > pl.col("place_right"))
    pairs = [(row["place"], row["place_right"], 1.0) for row in equal.iter_rows(named=True)]
    distinct = heard.unique(["part", "content"], keep="first", maintain_order=True)
    pairs += _nearly(distinct, progress)
    rows = heard.select("utt", "part", "label").rows()
    return pl.DataFrame(
        [(*rows[later], *rows[first], likeness) for later, first, likeness in pairs],
        schema=_PAIR,
        orient="row",
    )


def _nearly(clips: pl.DataFrame, progress: bool) -> list[tuple[int, int, float]]:
    """Places of two clips, the later one first, and their correlation."""
    rows = clips.to_dicts()
    hear = lru_cache(maxsize=256)(lambda place: _hear(rows[place]))
    found = []
    pairs = alike(clips["fingerprint"].to_list())[:MAX_PAIRS]
    for first, later in tqdm(pairs, "copies", unit="pair", disable=not progress or not pairs):
        one, other = rows[first], rows[later]
        if one["content"] == other["content"]:
            continue
        likeness = correlation(hear(first), hear(later))
        if likeness >= NEARLY:
            found.append((other["place"], one["place"], likeness))
    return found


def _hear(row: dict) -> np.ndarray:
    """The first seconds of a clip's sound (S,) at one rate; nothing where it cannot be read."""
    start = (row.get("start") or 0.0) + row["leading_silence"]
    end = start + min(_LISTENED, row["duration"] - row["leading_silence"])
    try:
        blocks = list(Recording(row["path"]).blocks(start, end))
    except AudioError:
        return np.zeros(1)
    if not blocks:
        return np.zeros(1)
    wave = np.concatenate([samples.mean(axis=1, dtype=np.float64) for samples, _ in blocks])
    return soxr.resample(wave - wave.mean(), blocks[0][1], _RATE)
