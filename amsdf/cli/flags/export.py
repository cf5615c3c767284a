"""The flags of `amsdf export`."""

import argparse

from amsdf.cli.flags.shared import add_trust_flag


def add_export_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf export`."""
    parser.add_argument("detector", metavar="DETECTOR", help="as for `score --detector`")
    parser.add_argument("out", metavar="OUT.onnx", help="the file to write")
    add_trust_flag(parser)
