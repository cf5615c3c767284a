"""The flags of `live`."""

import argparse

from amsdf.cli.flags.shared import add_trust_flag


def add_live_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf live`."""
    _add_source_flags(parser)
    _add_time_flags(parser)
    _add_alarm_flags(parser)
    parser.add_argument("--jsonl", action="store_true", help="an object a line for each verdict")
    parser.add_argument(
        "--detector",
        default="starter",
        metavar="PATH",
        help="run or detector folder, published .pth or hub id (default: starter)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: the best there is)")
    add_trust_flag(parser)


def _add_source_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="- reads standard input while it comes, a name reads that file; without it, the "
        "microphone",
    )
    parser.add_argument("--input", metavar="DEVICE", help="the microphone, as alsa:hw:1")
    parser.add_argument(
        "--follow", action="store_true", help="go on at the end of the file while it grows"
    )
    parser.add_argument(
        "--idle",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="a file that has not grown for so long has ended (default 60)",
    )
    parser.add_argument(
        "--raw", metavar="FORMAT", help="samples without a header: s16le:16000, f32le:48000:2"
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="skip windows where judging is slower than the sound; a microphone implies it",
    )


def _add_time_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        type=float,
        default=0.25,
        metavar="SECONDS",
        help="sound from one verdict to the next (default 0.25)",
    )
    parser.add_argument(
        "--span",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="seconds of sound that a verdict looks back on (default 10)",
    )
    parser.add_argument(
        "--hop",
        type=float,
        metavar="SECONDS",
        help="from one window to the next (default: as the detector does it with recordings)",
    )


def _add_alarm_flags(parser: argparse.ArgumentParser) -> None:
    alarms = parser.add_mutually_exclusive_group()
    alarms.add_argument(
        "--false-alarms-per-hour",
        type=float,
        metavar="NUMBER",
        help="how many alarms an hour real speech may raise, as measured (default: the fewest that "
        "could be shown)",
    )
    alarms.add_argument(
        "--alarm-at",
        type=float,
        metavar="EVIDENCE",
        help="raise an alarm where the evidence of fakes adds up to this, such as 6",
    )
    parser.add_argument(
        "--alarms",
        metavar="FILE",
        help="false alarms as --measure wrote them (default: live_alarms.json of the detector)",
    )
    parser.add_argument(
        "--measure",
        nargs="+",
        metavar="CORPUS",
        help="do not listen, but measure false alarms on manifests or folders of real speech, and "
        "write them to --alarms",
    )
