"""`amsdf completion`: what makes a shell complete commands and flags."""

from argparse import Namespace

import shtab

from amsdf.cli.flags import build_parser


def run(args: Namespace) -> int:
    """Print the script of a shell."""
    print(shtab.complete(build_parser(), shell=args.shell))
    return 0
