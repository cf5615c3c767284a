"""Measures how often real speech raises an alarm, and how soon fakes do, on anybody's speech."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NoReturn

import numpy as np
import polars as pl
from tqdm import tqdm

from amsdf.audio import AudioError, stream_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import Manifest
from amsdf.data.places import Place, Places
from amsdf.scoring.judging.judge import Judge
from amsdf.serving.live.alarm import Alarm
from amsdf.serving.live.false_alarms import (
    AlarmRate,
    AlarmTable,
    CountedAlarms,
    Detection,
    detector_digest,
)
from amsdf.serving.live.stream import LiveJudge, LiveSettings

#: What a stream is for: limits are chosen on one, checked on the other, and fakes are found.
Part = Literal["chosen", "checked", "fake"]
#: False alarms an hour for which a limit is chosen, if so few can be shown.
_WANTED = (120, 60, 30, 15, 10, 6, 3, 2, 1, 0.5, 0.2, 0.1)
#: Limits of the evidence that are tried.
_LIMITS = tuple(np.arange(1.0, 40.0, 0.25).tolist())
#: Real clips before the fakes; fakes of one system in a stream.
_BEFORE, _FAKES = 4, 8
#: Seconds of the pauses between clips, and how loud they are.
_PAUSES, _QUIET = (0.3, 1.2), 1e-4


@dataclass(frozen=True)
class Stream:
    """Clips that follow each other; the first `num_before` are real where the others are fake."""

    part: Part
    clips: tuple[Place, ...]
    num_before: int = 0


@dataclass(frozen=True)
class Heard:
    """What a live judge hears in a stream."""

    part: Part
    #: Evidence (T,) of each step; None where nothing can be judged.
    timeline: tuple[float | None, ...]
    #: When the first fake begins, in seconds.
    begins: float
    #: Clips that could not be read, in words.
    failed: tuple[str, ...] = ()


def streams_of(
    manifest: Manifest, choosing: Literal["half", "all", "none"] = "half"
) -> list[Stream]:
    """The speech of a manifest as streams.

    Real speech (all that is not labelled fake) is joined speaker by speaker, in one stream for the
    speakers who choose and one for the others. Without a column `speaker` each recording counts as
    a speaker. Each fake system (`attack`) makes a stream that begins with real speech.

    Args:
        manifest: Of one corpus.
        choosing: Which of its speakers choose.
    """
    table = manifest.table.with_columns(place=pl.int_range(pl.len()))
    if "speaker" not in table.columns:
        table = table.with_columns(speaker="utt")
    table = table.with_columns(pl.col("speaker").fill_null(pl.col("utt"))).sort("speaker", "utt")
    is_fake = pl.col("label").eq(0).fill_null(False)
    real = table.filter(~is_fake)
    speakers = real["speaker"].unique().sort().to_list()
    step = {"half": 2, "all": 1}.get(choosing)
    chosen = pl.col("speaker").is_in(speakers[::step] if step else [])

    places = Places(manifest)
    found = []
    parts: tuple[tuple[Part, pl.Expr], ...] = (("chosen", chosen), ("checked", ~chosen))
    for part, rows in parts:
        found.append(Stream(part, tuple(places[row] for row in real.filter(rows)["place"])))
    found += _fake_streams(real.sort("utt"), table.filter(is_fake), places)
    return [stream for stream in found if stream.clips]


def _fake_streams(real: pl.DataFrame, fakes: pl.DataFrame, places: Places) -> Iterator[Stream]:
    """A stream for each fake system."""
    if not len(real):
        return
    if "attack" not in fakes.columns:
        fakes = fakes.with_columns(attack=pl.lit("fake"))
    fakes = fakes.with_columns(pl.col("attack").fill_null("fake")).sort("attack", "utt")
    for turn, system in enumerate(fakes.partition_by("attack", maintain_order=True)):
        before = [real["place"][(_BEFORE * turn + each) % len(real)] for each in range(_BEFORE)]
        rows = (*before, *system["place"][:_FAKES])
        yield Stream("fake", tuple(places[row] for row in rows), _BEFORE)


def hear_streams(
    judge: Judge, streams: Sequence[Stream], settings: LiveSettings, progress: bool = False
) -> list[Heard]:
    """Listen to each stream; with `progress`, a bar counts the clips."""
    total = sum(len(stream.clips) for stream in streams)
    with tqdm(total=total, unit="clip", disable=not progress) as bar:
        return [_hear(LiveJudge(judge, settings), stream, bar) for stream in streams]


def _hear(live: LiveJudge, stream: Stream, bar: "tqdm[NoReturn]") -> Heard:
    rng = np.random.default_rng(0)
    found: list[float | None] = []
    failed: list[str] = []
    num_samples, begins = 0, 0.0
    for place, clip in enumerate(stream.clips):
        if place == stream.num_before:
            begins = num_samples / SAMPLE_RATE
        for block in chain(_blocks(clip, failed), [_pause(rng)]):
            num_samples += len(block)
            found += [verdict.evidence for verdict in live.feed(block)]
        bar.update()
    return Heard(stream.part, tuple(found), begins, tuple(failed))


def _blocks(clip: Place, failed: list[str]) -> Iterator[np.ndarray]:
    """What can be read of a clip; what cannot is noted in `failed`."""
    try:
        yield from stream_audio(*clip)
    except (AudioError, OSError) as error:
        failed.append(str(error))


def _pause(rng: np.random.Generator) -> np.ndarray:
    shortest, longest = (round(seconds * SAMPLE_RATE) for seconds in _PAUSES)
    samples = rng.integers(shortest, longest)
    return rng.normal(0, _QUIET, samples).astype(np.float32)


def table_of(
    live: LiveJudge, heard: Sequence[Heard], corpora: Mapping[str, str] | None = None
) -> AlarmTable:
    """The table: for each rate the lowest limit of which the chosen speech shows no more.

    Args:
        live: Judges as those who have heard the streams.
        heard: What `hear_streams` gives.
        corpora: Name and digest of each manifest of the streams.
    """
    for part in ("chosen", "checked"):
        if not any(each.timeline for each in heard if each.part == part):
            raise ValueError(
                "false alarms: real speech of two speakers or more is needed: half of them choose "
                "the limits, the others check"
            )
    every = live.settings.every
    at = {limit: _count(heard, "chosen", limit, every) for limit in _LIMITS}
    chosen = {
        min(limits)
        for wanted in _WANTED
        if (limits := [limit for limit in at if at[limit].most_per_hour <= wanted])
    }
    if not chosen:
        hours = at[_LIMITS[0]].hours
        raise ValueError(
            f"false alarms: {60 * hours:.1f} minutes of real speech choose the limit, and cannot "
            f"show fewer than {_WANTED[0]} an hour; give more"
        )
    return AlarmTable(
        detector=detector_digest(live.judge),
        every=every,
        span=live.settings.span,
        hop=live.hop_seconds,
        rates=tuple(_rate(heard, limit, at[limit], every) for limit in sorted(chosen)),
        corpora=dict(corpora or {}),
    )


def _rate(heard: Sequence[Heard], limit: float, chosen: CountedAlarms, every: float) -> AlarmRate:
    checked = _count(heard, "checked", limit, every)
    return AlarmRate(limit, chosen, checked, _detect(heard, limit, every))


def _count(heard: Sequence[Heard], part: Part, limit: float, every: float) -> CountedAlarms:
    """Alarms in the streams of a part."""
    timelines = [each.timeline for each in heard if each.part == part]
    alarms = sum(len(_alarm_times(timeline, limit, every)) for timeline in timelines)
    return CountedAlarms(alarms, sum(map(len, timelines)) * every / 3600)


def _detect(heard: Sequence[Heard], limit: float, every: float) -> Detection:
    """How many streams raise an alarm once the fake has begun, and how soon."""
    fakes = [each for each in heard if each.part == "fake"]
    delays = []
    for each in fakes:
        times = _alarm_times(each.timeline, limit, every)
        delays += [time - each.begins for time in times if time > each.begins][:1]
    middle = float(np.median(delays)) if delays else None
    return Detection(len(fakes), len(delays), middle, max(delays, default=None))


def _alarm_times(timeline: Sequence[float | None], limit: float, every: float) -> list[float]:
    """When alarms begin, in seconds."""
    alarm = Alarm(limit)
    events = [alarm.step(evidence, every) for evidence in timeline]
    return [(place + 1) * every for place, event in enumerate(events) if event == "begins"]
