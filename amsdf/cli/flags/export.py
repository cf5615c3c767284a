"""The flags of `amsdf export`."""

import argparse

from amsdf.cli.flags.shared import add_corpus_roots, add_trust_flag


def add_export_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf export`."""
    parser.add_argument("detector", metavar="DETECTOR", help="as for `score --detector`")
    parser.add_argument("out", metavar="OUT.onnx", help="the file to write")
    parser.add_argument(
        "--int8", action="store_true", help="linear layers of encoders in eight bits; needs --on"
    )
    parser.add_argument("--on", metavar="CORPUS", help="where the cost of --int8 is measured (EER)")
    add_corpus_roots(parser)
    add_trust_flag(parser)
