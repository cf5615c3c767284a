"""`amsdf score`: recordings to verdicts that a lay person understands, or a script reads."""

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from amsdf import report
from amsdf.audio.files.decoding import about_seconds
from amsdf.cli.arguments.engine import check_engine
from amsdf.cli.terminal.verdicts import lines_of
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import Manifest
from amsdf.data.recordings import expand_patterns, gather_recordings, left_out
from amsdf.detector.inference.precision import slowness
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.storage.loading import find_detector, open_detector
from amsdf.files import write_atomically
from amsdf.scoring.calibration.calibration import FIT
from amsdf.scoring.engines.row_scorer import ray_module
from amsdf.scoring.judging.explain import Evidence, explain_recording
from amsdf.scoring.judging.judge import Judge, Watch, load
from amsdf.scoring.judging.verdict import Verdict, lowest_of
from amsdf.scoring.judging.verdict_log import (
    STANDARD_INPUT,
    VerdictLog,
    judge_recordings,
    open_row,
    require_verdict_file,
)
from amsdf.scoring.judging.verdict_tables import (
    VERDICT_SUFFIXES,
    Judged,
    csv_text,
    json_line,
    json_text,
    scores_of,
    summary_of,
    write_verdicts,
)
from amsdf.scoring.outcomes import Outcome, write_failed
from amsdf.scoring.score_files.table import require_score_file
from amsdf.scoring.scorer import describe_detector, write_recordings

STARTER = "starter"
#: A recording of more seconds than this gets its own progress bar.
_LONG = 60
_BAR = "{percentage:3.0f}%|{bar}| {n:.0f}/{total} s [{elapsed}<{remaining}]"
#: Flags that show verdicts of single recordings.
_SHOWING = ("json", "jsonl", "csv", "plot", "explain", "verbose", "threshold")


@dataclass
class _Run:
    """One command: what is judged, by whom, what is known so far."""

    args: Namespace
    recordings: Manifest
    judge: Judge
    given: bytes
    judged: list[Judged] = field(default_factory=list)

    @property
    def several(self) -> bool:
        """Whether there is a line a recording instead of a text."""
        return len(self.recordings) > 1 or any(Path(name).is_dir() for name in self.args.inputs)

    @property
    def failed(self) -> list[tuple[Mapping[str, Any], str]]:
        """Rows that could not be judged, and why."""
        return [(row, str(found)) for row, found in self.judged if not isinstance(found, Verdict)]


def run(args: Namespace) -> int:
    """Judge each recording; status 1 where some could not be judged, 2 where the only one."""
    check_engine(args)
    if args.engine == "ray":
        return _score_collection(args, args.detector or STARTER)
    inputs = expand_patterns(args.inputs)
    recordings = _standard_input() if STANDARD_INPUT in inputs else gather_recordings(inputs)
    _check(args, recordings)
    judge = _open_judge(args)
    for line in left_out([name for name in inputs if name != STANDARD_INPUT], recordings):
        _note(args, line)

    given = sys.stdin.buffer.read() if STANDARD_INPUT in inputs else b""
    this = _Run(args, recordings, judge, given)
    try:
        _judge_all(this)
    finally:  # what is done is kept, also when it is stopped
        if args.out and this.judged:
            _write_out(this)
    if args.json or args.csv:
        print(json_text(this.judged, this.several) if args.json else csv_text(this.judged), end="")
    elif this.several and not args.jsonl:
        print(summary_of(this.judged))
    return (1 if this.several else 2) if this.failed else 0


def _standard_input() -> Manifest:
    row = {"utt": [STANDARD_INPUT], "path": [STANDARD_INPUT]}
    return Manifest("recordings", pl.DataFrame({**row, "label": [None], "corpus": ["recordings"]}))


def _check(args: Namespace, recordings: Manifest) -> None:
    """Refuse what cannot work before any work is done."""
    if STANDARD_INPUT in args.inputs and len(args.inputs) > 1:
        raise ValueError("-: standard input is one recording; give it alone")
    if args.plot and len(recordings) > 1:
        raise ValueError(f"--plot draws one recording; {len(recordings)} are given")
    if args.plot and Path(args.plot).suffix not in (".png", ".svg"):
        raise ValueError(f"--plot {args.plot}: a picture is written as .png or .svg")
    if args.out:
        out = Path(args.out)
        (require_verdict_file if out.suffix in VERDICT_SUFFIXES else require_score_file)(out)


def _open_judge(args: Namespace) -> Judge:
    if args.detector is None:
        try:
            find_detector(STARTER)
        except ValueError:
            raise ValueError(
                f"no detector {STARTER!r} is found here; name one with --detector: a run folder, "
                "a detector folder or a published .pth"
            ) from None
    judge = load(
        args.detector or STARTER,
        device=args.device,
        trust_remote_code=args.trust_remote_code,
        bonafide_class=args.bonafide_class,
        threshold=args.threshold,
    )
    if args.score_rule == "published":
        judge = judge.as_published()
    if judge.calibration is None:
        if args.threshold:
            line = f"--threshold {args.threshold} has no effect: no calibration, so no threshold"
            _note(args, line)
        if args.score_rule == "default":
            _note(args, "this detector has no calibration, so its scores only rank; fit one:")
            _note(args, f"  import a published file, then {FIT}")
    if slow := slowness(args.precision, judge.detector.device):
        _note(args, slow)
    how = {"batch_size": args.batch_size, "precision": args.precision, "plain": args.plain}
    return replace(judge, **how)


def _note(args: Namespace, line: str) -> None:
    """Show a note: on standard output for people, on standard error for scripts."""
    print(f"# {line}", file=sys.stderr if args.json or args.jsonl or args.csv else sys.stdout)


def _judge_all(this: _Run) -> None:
    log = VerdictLog(Path(this.args.out), this.judge) if this.args.out else None
    many = tqdm(total=len(this.recordings), unit="file", disable=None if this.several else True)
    with many:
        for row, verdict in judge_recordings(
            this.judge, this.recordings, log, this.given, _bar_for(this)
        ):
            if this.args.explain and isinstance(verdict, Verdict) and verdict.windows:
                row["evidence"] = _evidence(this, row, verdict)
            this.judged.append((row, verdict))
            alone = not (this.several or this.args.json or this.args.jsonl or this.args.csv)
            if not isinstance(verdict, Verdict) and (this.args.strict or alone):
                raise verdict
            _show(this, row, verdict)
            many.update()


def _bar_for(this: _Run) -> Watch:
    """A progress bar in seconds of sound for a single long recording."""
    path = Path(this.recordings.table["path"][0])
    seconds = about_seconds(path) if not this.several and path.is_file() else 0.0

    def watch(blocks: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        hidden = None if seconds > _LONG else True
        with tqdm(total=round(seconds), bar_format=_BAR, disable=hidden) as bar:
            for block in blocks:
                yield block
                bar.update(len(block) / SAMPLE_RATE)

    return watch


def _show(this: _Run, row: Mapping[str, Any], verdict: Any) -> None:
    args = this.args
    if args.plot and isinstance(verdict, Verdict):
        extremes = report.outline(open_row(row, this.given))
        picture = report.draw_verdict(verdict, extremes, row["utt"], Path(args.plot).suffix[1:])
        write_atomically(Path(args.plot), lambda temporary: _write_bytes(temporary, picture))
    if args.jsonl:
        print(json_line((row, verdict)), flush=True)
    elif not (args.json or args.csv):
        tqdm.write("\n".join(lines_of(row, verdict, this.several, args.verbose)))


def _evidence(this: _Run, row: Mapping[str, Any], verdict: Verdict) -> list[Evidence]:
    """Of a recording of several windows, the one that looks most like a fake is explained."""
    judge, place = this.judge, verdict.windows.index(lowest_of(verdict))
    return explain_recording(judge.detector, open_row(row, this.given), place, judge.settings)


def _write_out(this: _Run) -> None:
    out, judge = Path(this.args.out), this.judge
    if out.suffix in VERDICT_SUFFIXES:
        write_verdicts(out, this.judged)
        return
    header = describe_detector(judge.detector, judge.name, judge.settings)
    write_recordings(out, this.recordings, scores_of(this.judged), header)
    failed = [(row["utt"], row["path"], reason) for row, reason in this.failed]
    num_scored = len(this.judged) - len(failed)
    outcome = Outcome(out, this.recordings.name, len(this.recordings), num_scored, failed)
    write_failed(out.with_suffix(".failed.tsv"), [outcome])


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


# A collection, on a Ray cluster


def _score_collection(args: Namespace, detector: str) -> int:
    """Parquet manifests of any size to a folder of Parquet scores; status 1 where clips failed."""
    units, collection = (ray_module(name) for name in ("work_units", "collection"))
    _check_collection(args)
    named = open_detector(detector, args.bonafide_class, args.trust_remote_code)
    settings = ScoreSettings(
        batch_size=args.batch_size,
        precision=args.precision,
        strict=args.strict,
        progress=sys.stderr.isatty(),
        score_rule=args.score_rule,
        plain=args.plain,
        engine=args.engine,
        address=args.address,
    )
    (place,) = args.inputs
    given = collection.Collection.at(place)
    outcome = collection.score_collection(named, given, units.open_place(args.out), settings)

    counts = f"{outcome.scored} scored + {outcome.failed} failed = {outcome.listed} listed"
    print(f"{counts}; scores in {args.out}")
    if outcome.failed:
        print(f"what failed, with reasons: {args.out.rstrip('/')}/{collection.FAILED}")
    return 1 if outcome.failed else 0


def _check_collection(args: Namespace) -> None:
    """Refuse what cannot work before any work is done."""
    for name in _SHOWING:
        if getattr(args, name):
            raise ValueError(f"--{name}: shows single recordings; leave it out with --engine ray")
    if args.device:
        raise ValueError(f"--device {args.device}: the cluster knows its devices; leave it out")
    if not args.out:
        raise ValueError("--engine ray: writes many scores; say where with --out FOLDER")
    if len(args.inputs) > 1:
        raise ValueError("--engine ray: takes one Parquet file, or one folder of them")
