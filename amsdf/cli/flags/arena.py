"""The flags of `amsdf arena`."""

import argparse

from amsdf.cli.flags.shared import add_data_flags, add_opening_flags


def add_arena_flags(parser: argparse.ArgumentParser) -> None:
    """A detector, a corpus, and what only their user knows."""
    parser.add_argument(
        "detector", metavar="DETECTOR", help="run or detector folder, published .pth or hub id"
    )
    parser.add_argument("corpus", metavar="CORPUS", help="corpus to score, with labels")
    parser.add_argument("--out", required=True, metavar="BUNDLE", help="folder of the submission")
    group = parser.add_argument_group("what the Arena asks for and only you know")
    for flag, metavar, text in (
        ("--name", "TEXT", "the system in the table (default: the name of the detector)"),
        ("--slug", "WORD", "its short name: a-z, 0-9 and dashes (default: made of --name)"),
        ("--description", "TEXT", "what it is (default: its views, head and loss)"),
        ("--code", "URL", "where its code is"),
        ("--checkpoint", "URL", "where its weights are (default, of a hub id: its page)"),
        ("--arxiv", "NUMBER", "its paper, e.g. 2110.01200"),
        ("--bibtex", "FILE", "the entry of its paper"),
        ("--dataset", "OWNER/NAME", "the corpus on the Hugging Face hub"),
        ("--revision", "COMMIT", "the commit of that data set, 7 to 40 hexadecimal digits"),
        ("--scores-url", "URL", "scores.txt on the hub, pinned by its commit"),
        ("--hf-user", "NAME", "who submits, on the Hugging Face hub"),
        ("--contact", "TEXT", "where questions go"),
        ("--notes", "FILE", "text to add"),
    ):
        group.add_argument(flag, metavar=metavar, help=text)
    group.add_argument("--split", default="test", help="its split there (default test)")
    parser.add_argument("--license", default="other", help="for the card, e.g. mit (default other)")
    add_opening_flags(parser, batch_size=16)
    add_data_flags(parser)
