"""The flags of every command. Nothing heavy is imported, so that `--help` answers at once."""

import argparse

from amsdf import __version__
from amsdf.cli.arena_flags import add_arena_flags
from amsdf.cli.cache_flags import add_view_cache_flags
from amsdf.cli.help_texts import COMMANDS, LEGACY, TERMS, epilog_of
from amsdf.cli.shared_flags import (
    add_cache_flags,
    add_corpus_roots,
    add_data_flags,
    add_experiment_flags,
    add_quiet,
    add_repeatable,
    add_scoring_flags,
    add_table_flags,
    add_trust_flag,
    whole_number,
)


class _Parser(argparse.ArgumentParser):
    """argparse whose refusals are one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="amsdf",
        description="Multi-view audio-deepfake detection: train, evaluate across corpora, judge.",
        epilog=f"{TERMS}\n{LEGACY}",
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"amsdf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {
        name: commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=epilog_of(name),
            allow_abbrev=False,
            formatter_class=raw,
        )
        for name, text in COMMANDS.items()
    }
    _train_flags(made["train"])
    _eval_flags(made["eval"])
    _score_flags(made["score"])
    _report_flags(made["report"])
    _import_flags(made["import"])
    _card_flags(made["card"])
    add_arena_flags(made["arena"])
    _verify_flags(made["verify"])
    _study_flags(made["study"])
    _corpora_flags(made["corpora"])
    add_view_cache_flags(made["cache"])
    _plugins_flags(made["plugins"])
    _doctor_flags(made["doctor"])
    _demo_flags(made["demo"])
    return parser


def parser_of(command: str) -> argparse.ArgumentParser:
    """The flags of one command."""
    (commands,) = (each for each in build_parser()._actions if isinstance(each.choices, dict))
    assert isinstance(commands.choices, dict)
    return commands.choices[command]


def _train_flags(parser: argparse.ArgumentParser) -> None:
    add_experiment_flags(parser)
    add_data_flags(parser)
    parser.add_argument("--out", metavar="FOLDER", help="run folder (default runs/<name>)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    add_repeatable(parser, "--tracker", "NAME", "log to tensorboard, wandb, mlflow, …")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be trained; open no audio"
    )
    add_cache_flags(parser)
    add_trust_flag(parser)


def _eval_flags(parser: argparse.ArgumentParser) -> None:
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


def _score_flags(parser: argparse.ArgumentParser) -> None:
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


def _report_flags(parser: argparse.ArgumentParser) -> None:
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


def _import_flags(parser: argparse.ArgumentParser) -> None:
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


def _card_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("detector", metavar="DETECTOR", help="run or detector folder, or a hub id")
    parser.add_argument("--out", metavar="FILE", help="where the card goes; without it, shown")
    parser.add_argument("--scores", metavar="FOLDER", help="score files of evaluation corpora")
    parser.add_argument("--notes", metavar="FILE", help="Markdown to add: sources, licences, …")
    parser.add_argument("--name", metavar="NAME", help="what it is called there, e.g. owner/name")
    parser.add_argument("--license", default="other", help="its licence, e.g. mit (default other)")
    add_trust_flag(parser)


def _verify_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="folder that eval, report or arena has written"
    )
    parser.add_argument(
        "--against",
        metavar="BUNDLE",
        help="compare the scores with those of the same work, made again elsewhere (1e-4)",
    )


def _study_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="STUDY.yaml", help="recipes, losses, seeds and corpora")
    parser.add_argument("--out", metavar="FOLDER", help="default: studies/<name>")
    add_cache_flags(parser)
    add_trust_flag(parser)
    add_data_flags(parser)


def _corpora_flags(parser: argparse.ArgumentParser) -> None:
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


def _plugins_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="show one plugin with its arguments, or a recipe")
    parser.add_argument("--check", action="store_true", help="load every plugin (takes seconds)")


def _doctor_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="load every plugin and ask torch for its devices"
    )
    add_corpus_roots(parser)


def _demo_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="demo", metavar="FOLDER", help="default: demo")
    parser.add_argument("--epochs", type=int, help="passes over the training clips")
    add_quiet(parser)
