"""`amsdf live`: a microphone or a growing stream, judged while it comes."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size

from amsdf.audio.files.decoding import Block
from amsdf.cli.live_measuring import measure_alarms
from amsdf.cli.terminal.colours import painted
from amsdf.scoring.judging.judge import Judge, load
from amsdf.scoring.judging.verdict import clock, duration
from amsdf.serving.live.backlog import BEHIND, Backlog
from amsdf.serving.live.false_alarms import AlarmTable
from amsdf.serving.live.inflow import Inflow
from amsdf.serving.live.policy import measured_table, with_alarms, with_known_alarms
from amsdf.serving.live.sound import (
    RawFormat,
    demuxed_blocks,
    microphone_blocks,
    open_source,
    raw_blocks,
)
from amsdf.serving.live.stream import LiveJudge, LiveSettings, LiveVerdict


def run(args: Namespace) -> int:
    """Judge until the sound ends or Ctrl-C; both end with a summary and status 0."""
    if args.measure:
        return measure_alarms(args)
    blocks = _blocks(args)
    judge = load(args.detector, device=args.device, trust_remote_code=args.trust_remote_code)
    settings, words = _settings(args, judge)
    live = LiveJudge(judge, settings)

    screen = _Screen(args.jsonl)
    for line in (*_explained(live), words):
        screen.note(line)
    inflow, started = Inflow(), time.process_time()
    try:
        _listen(live, Backlog(blocks), inflow, screen, args.realtime or args.source is None)
        screen.show(live.feed(inflow.rest()) + live.finish())
    except KeyboardInterrupt:
        pass
    finally:  # what was heard before an error counts too
        if live.seconds:
            screen.close(_summary(live, inflow, screen, time.process_time() - started))
    return 0


def _blocks(args: Namespace) -> Iterator[Block]:
    """The sound, block by block."""
    if args.source is None:
        if args.raw or args.follow:
            raise ValueError("--raw and --follow need a SOURCE: - or a file")
        return microphone_blocks(args.input)
    if args.input:
        raise ValueError(f"--input names a microphone, and {args.source} is given; leave one out")
    if args.source == "-" and args.follow:
        raise ValueError("--follow: standard input is followed anyway; leave it out")
    form = RawFormat.parse(args.raw) if args.raw else None
    file = open_source(args.source, args.follow, args.idle, sys.stdin.buffer)
    name = "standard input" if args.source == "-" else args.source
    return raw_blocks(file, form) if form else demuxed_blocks(file, name)


def _settings(args: Namespace, judge: Judge) -> tuple[LiveSettings, str]:
    """How it is judged, and what is known of its alarms."""
    settings = LiveSettings(args.every, args.span, args.hop)
    if args.alarm_at is not None:
        if args.alarms:
            raise ValueError("--alarm-at and --alarms: give one of the two")
        words = "how often real speech raises an alarm then was not measured"
        return replace(settings, alarm=args.alarm_at), words
    per_hour = args.false_alarms_per_hour
    if args.alarms is None and per_hour is None:
        return with_known_alarms(judge, settings, [args.detector])
    table = AlarmTable.read(Path(args.alarms)) if args.alarms else None
    table = table or measured_table(judge, [args.detector])
    if table is None:
        raise ValueError(
            f"no false alarms were measured for {judge.name!r}; measure them with `amsdf live "
            "--measure RECORDINGS`, or give --alarm-at 6"
        )
    return with_alarms(judge, settings, table, per_hour)


def _explained(live: LiveJudge) -> list[str]:
    """What its lines mean."""
    judge, settings = live.judge, live.settings
    lines = [
        f"{judge.name} listens to {live.clip_seconds:g} s, every {live.hop_seconds:g} s; the "
        f"verdict is of the last {settings.span:g} s"
    ]
    if settings.alarm is not None and judge.calibration is not None:
        below = judge.calibration.point(judge.threshold).fake_below
        lines.append(
            f"Probably fake: the chance is at most {below:.2f}. Alarm: the evidence of the windows "
            f"has added up to {settings.alarm:g} (100 %)"
        )
    return lines


def _listen(
    live: LiveJudge, backlog: Backlog, inflow: Inflow, screen: "_Screen", skips: bool
) -> None:
    for arrival in backlog:
        if arrival.block is None:
            screen.note("no sound has come for 10 s")
            continue
        screen.show(
            live.feed(inflow.add(arrival.block), skips and arrival.waiting_seconds > BEHIND)
        )


def _summary(live: LiveJudge, inflow: Inflow, screen: "_Screen", used: float) -> str:
    found = [
        f"{duration(live.seconds)} of sound",
        f"{screen.alarms} alarm{'s' * (screen.alarms != 1)}",
    ]
    if live.skipped:
        found.append(f"{live.skipped} windows skipped: too slow")
    if inflow.not_finite:
        found.append(f"{inflow.not_finite} samples were NaN or infinite, taken for silence")
    if inflow.changes:
        found.append(f"{inflow.changes} changes of the sample rate")
    if live.seconds:
        found.append(f"{used / live.seconds:.3f} s of processor time a second")
    return "; ".join(found)


class _Screen:
    """What people see: one line that changes on a terminal, else a line a window."""

    def __init__(self, jsonl: bool):
        self._jsonl, self._terminal = jsonl, sys.stdout.isatty() and not jsonl
        self._headline = ""
        self.alarms = 0

    def note(self, line: str) -> None:
        """Print one line on standard error."""
        self._wipe()
        print(f"# {line}", file=sys.stderr)

    def show(self, verdicts: list[LiveVerdict]) -> None:
        """The next verdicts."""
        for verdict in verdicts:
            self.alarms += verdict.event == "begins"
            if self._jsonl:
                print(json.dumps(verdict.to_dict(), ensure_ascii=False), flush=True)
                continue
            if verdict.event:
                self._wipe()
                words = "sounds machine-made" if verdict.event == "begins" else "no longer"
                alarm = painted(f"Alarm {verdict.event}", "fake")
                print(f"{clock(verdict.seconds)}  {alarm}: {words}", flush=True)
            self._roll(verdict)

    def _roll(self, verdict: LiveVerdict) -> None:
        chance, share = verdict.probability, verdict.towards_alarm
        figures = [] if chance is None else [f"chance of real speech {chance:.2f}"]
        figures += [f"{100 * share:.0f} % of an alarm"] if share else []
        figures += [f"({verdict.skipped} windows skipped)"] if verdict.skipped else []
        time_of, words = clock(verdict.seconds), verdict.headline
        if self._terminal:
            room = get_terminal_size().columns  # a line that is broken cannot be changed
            while figures and len("  ".join([time_of, words, *figures])) >= room:
                figures.pop()
        line = "  ".join([time_of, painted(words, verdict.decision), *figures])
        if self._terminal:
            print(f"\r\033[K{line}", end="", flush=True)
        elif verdict.window or verdict.headline != self._headline:
            print(line, flush=True)
        self._headline = verdict.headline

    def close(self, summary: str) -> None:
        """The last line."""
        if self._terminal:
            print()
        print(summary, file=sys.stderr if self._jsonl else sys.stdout, flush=True)

    def _wipe(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", flush=True)
