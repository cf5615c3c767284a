"""How often `amsdf live` raises an alarm at real speech, and how soon at fakes.

    python scripts/live_false_alarms.py CORPORA --out pretrained_models/starter/live_alarms.json

Real clips are joined speaker by speaker with pauses, a stream a corpus. A threshold is chosen
on half of the speakers of some corpora, and checked on the other half and on corpora that the
detector never met. For the delay, real speech is followed by that of one fake system.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

import amsdf
from amsdf.audio import read_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.scoring.judging.judge import Judge
from amsdf.serving.live.alarm import AlarmPolicy
from amsdf.serving.live.false_alarms import (
    AlarmRate,
    AlarmTable,
    CountedAlarms,
    Detection,
    Timeline,
    alarm_times,
    count_alarms,
)
from amsdf.serving.live.stream import LiveJudge, LiveSettings
from amsdf.weights import digest_of_tensors

#: Half of their speakers choose; the dev sources choose with all.
HALVED = ("emodb", "fsdd_vocoded", "ami_mini")
CHOOSING = ("yourtts", "speechbot")
#: Never trained on, never chosen by.
UNHEARD = (
    *("speechtokenizer", "starganv2", "styletts2", "styletts_vc", "valle_repro", "vocos"),
    *("hifigan_demo", "glowtts_demo"),
)
RATES = (120, 60, 30, 15, 10, 6)
THRESHOLDS = np.concatenate(
    [[0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075], np.arange(0.01, 0.5, 0.005)]
)
HOLD = 4.0


_QUIET = 1e-4


@dataclass(frozen=True)
class Stream:
    """Paths of clips that follow each other, and when the first fake begins."""

    name: str
    part: str
    clips: tuple[str, ...]
    num_before: int = 0


def main() -> None:
    """Measure, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--detector", default="starter")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    streams = [*real_streams(args.corpora), *fake_streams(args.corpora)]
    work = [(args.detector, stream) for stream in streams]
    with ProcessPoolExecutor(args.processes) as pool:
        heard = list(pool.map(timeline_of, work))
    judge = amsdf.load(args.detector, device="cpu")
    table = measure(judge, list(zip(streams, heard, strict=True)))
    for rate in table.rates:
        print(f"{rate.per_hour:g} an hour: threshold {rate.threshold:.4f}")
        print(f"  chosen:  {rate.chosen}\n  checked: {rate.checked}\n  fakes:   {rate.detection}")
    if args.out:
        table.write(args.out)


def real_streams(corpora: Path) -> Iterator[Stream]:
    """Real speech to choose with and to check with."""
    for name in (*HALVED, *CHOOSING, *UNHEARD):
        clips = clips_of(corpora, name).filter(pl.col("label") == "bonafide")
        speakers = sorted(clips["speaker"].unique())
        choosing = speakers if name in CHOOSING else speakers[::2] if name in HALVED else []
        for part in ("choose", "check"):
            chosen = [each for each in speakers if (each in choosing) == (part == "choose")]
            rows = clips.filter(pl.col("speaker").is_in(chosen)).sort("speaker", "utt")
            if len(rows):
                yield Stream(name, part, tuple(rows["path"]))


def fake_streams(corpora: Path) -> Iterator[Stream]:
    """A stream for each fake system of the corpora that the detector never met."""
    for name in UNHEARD:
        clips = clips_of(corpora, name)
        real = clips.filter(pl.col("label") == "bonafide").sort("utt")["path"].to_list()
        fakes = clips.filter(pl.col("label") == "spoof").sort("utt")
        for turn, attack in enumerate(sorted(fakes["attack"].unique())):
            before = [real[(4 * turn + place) % len(real)] for place in range(4)]
            paths = fakes.filter(pl.col("attack") == attack)["path"].to_list()
            if len(paths) >= 5:
                yield Stream(f"{name} {attack}", "fake", (*before, *paths[:8]), len(before))


def clips_of(corpora: Path, name: str) -> pl.DataFrame:
    """The table of a corpus; paths from here."""
    table = pl.read_csv(corpora / name / "manifest.csv", infer_schema_length=0)
    folder = str(corpora / name) + "/"
    return table.with_columns(path=folder + pl.col("path"))


def timeline_of(work: tuple[str, Stream]) -> tuple[Timeline, float]:
    """The probability at each step of a stream, and when its first fake begins."""
    torch.set_num_threads(1)
    name, stream = work
    live = LiveJudge(amsdf.load(name, device="cpu"), LiveSettings())
    rng = np.random.default_rng(0)
    found: list[float | None] = []
    samples, begins = 0, 0.0
    for place, path in enumerate(stream.clips):
        if place == stream.num_before:
            begins = samples / SAMPLE_RATE
        pause = rng.normal(0, _QUIET, rng.integers(4800, 19200)).astype(np.float32)
        sound = np.concatenate([read_audio(path), pause])
        samples += len(sound)
        found += [verdict.probability for verdict in live.feed(sound)]
    return found, begins


def measure(judge: Judge, heard: Sequence[tuple[Stream, tuple[Timeline, float]]]) -> AlarmTable:
    """The table: for each rate the highest threshold whose upper bound is within it."""
    live = LiveJudge(judge)
    every = live.settings.every

    def counted(part: str, threshold: float) -> CountedAlarms:
        lines = [line for stream, (line, _) in heard if stream.part == part]
        return count_alarms(lines, AlarmPolicy(threshold, HOLD), every)

    rates = []
    at = {float(threshold): counted("choose", float(threshold)) for threshold in THRESHOLDS}
    for per_hour in RATES:
        allowed = [threshold for threshold, count in at.items() if count.most_per_hour <= per_hour]
        if not allowed:
            continue
        best = max(allowed)
        fakes = [found for stream, found in heard if stream.part == "fake"]
        detection = detect(fakes, AlarmPolicy(best, HOLD), every)
        rates.append(AlarmRate(per_hour, best, at[best], counted("check", best), detection))
    return AlarmTable(
        weights=digest_of_tensors(judge.detector.state_dict()),
        every=every,
        span=live.settings.span,
        hop=live.hop_seconds,
        hold=HOLD,
        rates=tuple(rates),
    )


def detect(fakes: Sequence[tuple[Timeline, float]], policy: AlarmPolicy, every: float) -> Detection:
    """How many streams raise an alarm once the fake has begun, and how soon."""
    delays = []
    for timeline, begins in fakes:
        after = [time - begins for time in alarm_times(timeline, policy, every) if time > begins]
        delays += after[:1]
    middle = float(np.median(delays)) if delays else None
    return Detection(len(fakes), len(delays), middle, max(delays, default=None))


if __name__ == "__main__":
    main()
