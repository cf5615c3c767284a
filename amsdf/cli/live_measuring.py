"""`amsdf live --measure`: how often a detector raises false alarms, on somebody's own speech."""

import sys
from argparse import Namespace
from pathlib import Path

from amsdf.data.manifest import read_manifest
from amsdf.detector.storage.loading import find_detector
from amsdf.scoring.judging.judge import load
from amsdf.serving.live.false_alarms import FILE
from amsdf.serving.live.measuring import hear_streams, streams_of, table_of
from amsdf.serving.live.stream import LiveJudge, LiveSettings


def measure_alarms(args: Namespace) -> int:
    """Write a table of false alarms, and show it."""
    place = _place(args)
    manifests = [read_manifest(Path(given), labelled=False) for given in args.measure]
    judge = load(args.detector, device=args.device, trust_remote_code=args.trust_remote_code)
    live = LiveJudge(judge, LiveSettings(args.every, args.span, args.hop))
    streams = [stream for manifest in manifests for stream in streams_of(manifest)]

    heard = hear_streams(judge, streams, live.settings, progress=sys.stderr.isatty())
    failed = [line for each in heard for line in each.failed]
    for line in failed:
        print(f"left out: {line}", file=sys.stderr)
    table = table_of(live, heard, {manifest.name: manifest.digest for manifest in manifests})
    table.write(place)
    print("\n".join(table.lines()))
    print(f"written to {place}")
    return 1 if failed else 0


def _place(args: Namespace) -> Path:
    """Where the table goes; one that is there is kept."""
    if args.source or args.input or args.false_alarms_per_hour or args.alarm_at:
        raise ValueError(
            "--measure: listens to recordings, and measures; leave out SOURCE, --input"
            ", --false-alarms-per-hour and --alarm-at"
        )
    if args.alarms:
        return Path(args.alarms)
    _, folder = find_detector(args.detector)
    if not folder.is_dir():
        raise ValueError(f"--measure: {folder} is not a folder; give --alarms FILE")
    if (folder / FILE).exists():
        raise ValueError(
            f"--measure: {folder / FILE} is there; say where with --alarms FILE, or delete it"
        )
    return folder / FILE
