"""The flags of `eval`, `score` and `arena`."""

import argparse

from amsdf.cli.flags.shared import (
    add_cache_flags,
    add_data_flags,
    add_opening_flags,
    add_scoring_flags,
    add_table_flags,
)


def add_eval_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf eval`."""
    parser.add_argument(
        "--detector",
        action="append",
        required=True,
        metavar="PATH",
        help="run or detector folder, published .pth or hub id; may be repeated",
    )
    parser.add_argument(
        "--on", nargs="+", required=True, metavar="CORPUS", help="corpora to score, with labels"
    )
    parser.add_argument("--out", default="scores", metavar="FOLDER", help="where score files go")
    parser.add_argument("--html", action="store_true", help="also write the HTML report")
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="FakeAVCeleb as AMSDF scored it, its dev clips included",
    )
    parser.add_argument(
        "--calibrate-on",
        nargs="+",
        default=[],
        metavar="CORPUS",
        help="fit probabilities and thresholds on other known clips, for this evaluation",
    )
    parser.add_argument(
        "--calibrate",
        choices=["logistic", "isotonic"],
        help="how --calibrate-on fits them (default logistic)",
    )
    parser.add_argument(
        "--store-calibration",
        action="store_true",
        help="keep them with the detector, instead of the calibration that it has",
    )
    add_table_flags(parser)
    add_scoring_flags(parser, batch_size=16)
    add_cache_flags(parser)
    add_data_flags(parser)


def add_score_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf score`."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE",
        help="recordings, folders, 'patterns*', lists (.txt), manifests; - reads standard input",
    )
    parser.add_argument(
        "--detector",
        metavar="PATH",
        help="run or detector folder, published .pth or hub id (default: starter)",
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument(
        "--json", action="store_true", help="an object for one recording, an array for several"
    )
    formats.add_argument("--jsonl", action="store_true", help="an object a line, each at once")
    formats.add_argument("--csv", action="store_true", help="a table with a row a recording")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="write .json, .jsonl, .csv or a score file (.tsv); what is unchanged since is not "
        "scored again",
    )
    parser.add_argument("--plot", metavar="FILE", help="draw one recording over time (.png, .svg)")
    parser.add_argument(
        "--explain", action="store_true", help="say which stretch, band and view moves the score"
    )
    parser.add_argument("--verbose", action="store_true", help="add the figures of engineers")
    add_scoring_flags(parser, batch_size=2)  # on CPUs as quick as 16, in a tenth of the memory


def add_arena_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf arena`: a detector, a corpus, and what only their user knows."""
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
