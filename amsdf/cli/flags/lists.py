"""The flags of `corpora`, `plugins`, `recipes`, `doctor`, `import` and `completion`."""

import argparse

from amsdf.cli.flags.shared import (
    add_corpus_roots,
    add_quiet,
    whole_number,
)


def add_corpora_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf corpora`."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=["list", "check", "manifest"],
        help="list all, look for faults in some, or write the table of one (default list)",
    )
    parser.add_argument("names", nargs="*", metavar="CORPUS", help="name, folder or manifest")
    parser.add_argument("--out", metavar="FILE", help="manifest to write (Parquet, CSV)")
    parser.add_argument(
        "--sample", type=whole_number(1), metavar="N", help="open only N clips of each corpus"
    )
    add_corpus_roots(parser)
    add_quiet(parser)


def add_plugins_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf plugins`."""
    parser.add_argument("name", nargs="?", help="show one plugin with its arguments, or a recipe")
    parser.add_argument("--check", action="store_true", help="load every plugin (takes seconds)")


def add_recipes_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf recipes`."""
    parser.add_argument("name", nargs="?", help="show the YAML of one")


def add_completion_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf completion`."""
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="whose script to print")


def add_doctor_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf doctor`."""
    parser.add_argument(
        "--check", action="store_true", help="load every plugin and ask torch for its devices"
    )
    add_corpus_roots(parser)


def add_import_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf import`."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="published checkpoint; all of its files where it has several",
    )
    parser.add_argument("out", metavar="OUT", help="detector folder to write")
    parser.add_argument(
        "--bonafide-class", type=int, choices=[0, 1], help="which of its classes is bona fide"
    )
    parser.add_argument("--ssl", metavar="PATH", help="XLS-R of a checkpoint that comes without")
    parser.add_argument(
        "--verify", metavar="MANIFEST", help="labelled clips that show which class is bona fide"
    )
