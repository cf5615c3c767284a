"""The flags of `serve` and `export`."""

import argparse

from amsdf.cli.flags.shared import add_corpus_roots, add_trust_flag


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf serve`."""
    parser.add_argument(
        "--detector",
        action="append",
        metavar="PATH",
        help="run or detector folder, published .pth or hub id; may be repeated; the first "
        "answers unless another is asked (default: starter)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default 8000)")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="holds the token that clients send (default: $AMSDF_SERVE_TOKEN); needed with --host",
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change a limit, such as max_seconds=600 or max_queue=4; may be repeated",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: the best there is)")
    add_trust_flag(parser)


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
