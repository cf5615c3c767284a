"""The flags of commands that read score files: `report`, `verify`; and of `card`."""

import argparse

from amsdf.cli.flags.shared import (
    add_repeatable,
    add_table_flags,
    add_trust_flag,
)


def add_report_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf report`."""
    parser.add_argument("scores", metavar="FOLDER", help="folder of score files, or one file")
    parser.add_argument("--out", metavar="FOLDER", help="default: FOLDER/report")
    add_repeatable(parser, "--key", "[CORPUS=]FILE", "protocol to join score files with, by id")
    parser.add_argument("--subset", metavar="NAME", help="part of the key, e.g. eval, progress")
    parser.add_argument("--format", metavar="NAME", help="layout of the score files, if unclear")
    parser.add_argument("--negate", action="store_true", help="scores are higher for spoof")
    parser.add_argument(
        "--bonafide-label",
        type=int,
        choices=[0, 1],
        help="where labels are 0 and 1: the one that means bona fide",
    )
    add_table_flags(parser)
    parser.add_argument(
        "--threshold", metavar="NAME", help="which threshold of a calibration decides (default eer)"
    )


def add_verify_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf verify`."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="folder that eval, report or arena has written"
    )
    parser.add_argument(
        "--against",
        metavar="BUNDLE",
        help="compare the scores with those of the same work, made again elsewhere (1e-4)",
    )


def add_card_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf card`."""
    parser.add_argument("detector", metavar="DETECTOR", help="run or detector folder, or a hub id")
    parser.add_argument("--out", metavar="FILE", help="where the card goes; without it, shown")
    parser.add_argument("--scores", metavar="FOLDER", help="score files of evaluation corpora")
    parser.add_argument("--notes", metavar="FILE", help="Markdown to add: sources, licences, …")
    parser.add_argument("--name", metavar="NAME", help="what it is called there, e.g. owner/name")
    parser.add_argument("--license", default="other", help="its licence, e.g. mit (default other)")
    add_trust_flag(parser)
