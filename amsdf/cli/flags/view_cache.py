"""The flags of `amsdf cache`."""

import argparse

from amsdf.cli.flags.shared import (
    add_cache_dtype,
    add_corpus_roots,
    add_experiment_flags,
    add_quiet,
    add_repeatable,
    add_trust_flag,
    whole_number,
)


def add_view_cache_flags(parser: argparse.ArgumentParser) -> None:
    """What is done, where, and with what."""
    parser.add_argument(
        "action", choices=["build", "info", "prune"], help="fill it, say what it holds, shrink it"
    )
    parser.add_argument("folder", metavar="FOLDER", help="the cache")
    group = parser.add_argument_group("build")
    add_repeatable(group, "--detector", "PATH", "keep what a detector needs to score --on")
    group.add_argument("--on", nargs="+", metavar="CORPUS", help="corpora for --detector")
    group.add_argument(
        "--workers", type=whole_number(1), default=1, help="processes that encode (default 1)"
    )
    group.add_argument(
        "--limit",
        type=_positive,
        metavar="GB",
        help="refuse to add more than this (default: half of what is free on the disk)",
    )
    group = parser.add_argument_group("prune")
    group.add_argument(
        "--unused", type=_positive, metavar="DAYS", help="remove what was not used for so long"
    )
    group.add_argument(
        "--to", type=_positive, metavar="GB", help="remove what was not used for the longest time"
    )
    group.add_argument("--encoder", metavar="NAME", help="remove all of an encoder of `info`")
    add_cache_dtype(parser)
    add_experiment_flags(parser)
    add_corpus_roots(parser)
    add_quiet(parser)
    add_trust_flag(parser)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number from 0 on; given: {text}")
    return number
