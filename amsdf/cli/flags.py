"""The flags of every command. Nothing heavy is imported, so that `--help` answers at once."""

import argparse
from collections.abc import Callable

from amsdf import __version__

COMMANDS = {
    "train": "train a detector from a recipe, a file or flags",
    "eval": "score corpora with detectors and print the detector x corpus EER table",
    "score": "judge recordings or folders of them",
    "report": "make tables and the HTML report again from score files",
    "import": "turn a published checkpoint (.pth) into a detector folder",
    "study": "train a grid of losses, recipes and seeds and print its table",
    "corpora": "list corpora, check one, or write its manifest",
    "plugins": "list encoders, heads, losses, corpora and augmentations",
    "doctor": "say what is installed and found, and what to do about the rest",
    "demo": "make two small corpora, train on each, cross-evaluate, report",
}


class _Parser(argparse.ArgumentParser):
    """argparse whose refusals are one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    parser = _Parser(
        prog="amsdf",
        description="Multi-view audio-deepfake detection: train, evaluate across corpora, judge.",
        epilog="The AMSDF authors' own flags (--eval --ename … --emodel …) are understood too.",
    )
    parser.add_argument("--version", action="version", version=f"amsdf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {
        name: commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, text in COMMANDS.items()
    }
    _train_flags(made["train"])
    _eval_flags(made["eval"])
    _score_flags(made["score"])
    _report_flags(made["report"])
    _import_flags(made["import"])
    _study_flags(made["study"])
    _corpora_flags(made["corpora"])
    _plugins_flags(made["plugins"])
    _doctor_flags(made["doctor"])
    _demo_flags(made["demo"])
    return parser


def _from(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least} on; given: {text}"
            )
        return int(text)

    return whole


def _experiment_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the experiment (flags > file > recipe > defaults)")
    group.add_argument("--recipe", metavar="NAME", help="a shipped experiment, e.g. amsdf, aasist")
    group.add_argument("--config", metavar="FILE", help="an experiment in YAML")
    group.add_argument(
        "--view",
        action="append",
        default=[],
        metavar="NAME=ENCODER[:key=value,…]",
        help="set a view, e.g. text=whisper:size=small; text=none takes it away",
    )
    group.add_argument("--head", metavar="NAME[:key=value,…]")
    group.add_argument("--loss", metavar="NAME[:key=value,…]")
    group.add_argument("--augment", action="append", default=[], metavar="NAME[:key=value,…]")
    group.add_argument(
        "--freeze", action="append", default=[], metavar="VIEW", help="no gradient for a view"
    )
    group.add_argument("--train", nargs="+", metavar="CORPUS", help="corpora to train on")
    group.add_argument("--dev", nargs="+", metavar="CORPUS", help="corpora that select the epoch")
    group.add_argument("--epochs", type=int)
    group.add_argument("--batch-size", type=int)
    group.add_argument("--learning-rate", type=float)
    group.add_argument("--precision", choices=["fp32", "bf16", "fp16"])
    group.add_argument("--seed", type=int)
    group.add_argument("--name", help="names the run folder: runs/NAME without --out")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key, e.g. train.patience=5",
    )


def _data_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="where a corpus lies (also $AMSDF_DATA and data.yaml)",
    )
    parser.add_argument("--workers", type=_from(0), default=0, help="processes that read audio")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def _trust_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the code that a view's model folder brings along; only if you trust it",
    )


def _scoring_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-size", type=_from(1), default=16)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 …; the best there is by default")
    parser.add_argument("--strict", action="store_true", help="stop at the first unreadable clip")
    parser.add_argument(
        "--threshold",
        choices=["eer", "far-1%", "far-5%", "cost"],
        help="which threshold, chosen on dev, decides; eer by default",
    )


def _train_flags(parser: argparse.ArgumentParser) -> None:
    _experiment_flags(parser)
    _data_flags(parser)
    parser.add_argument("--out", metavar="FOLDER", help="run folder (default runs/<name>)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--tracker", action="append", default=[], help="tensorboard, wandb, mlflow … (accelerate)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be trained; open no audio"
    )
    _trust_flag(parser)


def _eval_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detector",
        action="append",
        required=True,
        metavar="PATH",
        help="run or detector folder, or a published .pth; may be repeated",
    )
    parser.add_argument("--on", nargs="+", required=True, metavar="CORPUS")
    parser.add_argument("--out", default="scores", metavar="FOLDER", help="where score files go")
    parser.add_argument("--html", action="store_true", help="also write the HTML report")
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="FakeAVCeleb as AMSDF scored it, its dev clips included",
    )
    parser.add_argument(
        "--calibrate",
        choices=["logistic", "isotonic"],
        help="fit on what --on names and keep it with the detector",
    )
    _table_flags(parser)
    _asv_flags(parser)
    parser.add_argument("--bonafide-class", type=int, choices=[0, 1], help="of a published .pth")
    _trust_flag(parser)
    _scoring_flags(parser)
    _data_flags(parser)


def _score_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="FILE", help="recordings, folders, manifests")
    parser.add_argument("--detector", required=True, metavar="PATH")
    parser.add_argument("--out", metavar="FILE", help="write the scores to a TSV file")
    parser.add_argument("--explain", action="store_true", help="what each view contributed")
    parser.add_argument("--bonafide-class", type=int, choices=[0, 1], help="of a published .pth")
    _trust_flag(parser)
    _scoring_flags(parser)


def _report_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scores", metavar="FOLDER", help="folder of score files, or one file")
    parser.add_argument("--out", metavar="FOLDER", help="default: FOLDER/report")
    parser.add_argument("--key", metavar="FILE", help="protocol to join score files with, by id")
    parser.add_argument("--subset", metavar="NAME", help="part of the key, e.g. eval, progress")
    _asv_flags(parser)
    parser.add_argument("--format", metavar="NAME", help="layout of the score files, if unclear")
    parser.add_argument("--negate", action="store_true", help="scores are higher for spoof")
    _table_flags(parser)


def _table_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", action="append", default=[], metavar="COLUMN", help="breakdown")
    parser.add_argument("--grid", metavar="COLUMN,COLUMN", help="breakdown by two: attack,codec")
    parser.add_argument("--fuse", choices=["mean", "vote"], help="all detectors as one more")
    parser.add_argument("--compare", action="store_true", help="paired tests between detectors")


def _asv_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--asv", action="append", default=[], metavar="[CORPUS=]FILE", help="ASV scores: t-DCF"
    )
    parser.add_argument(
        "--asv-key",
        action="append",
        default=[],
        metavar="[CORPUS=]FILE",
        help="key of ASV scores in the 2021 layout",
    )


def _import_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="published checkpoint")
    parser.add_argument("out", metavar="OUT", help="detector folder to write")
    parser.add_argument("--bonafide-class", type=int, choices=[0, 1])
    parser.add_argument("--ssl", metavar="PATH", help="XLS-R of a checkpoint that comes without")
    parser.add_argument("--verify", metavar="MANIFEST", help="known clips that settle the polarity")


def _study_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="STUDY.yaml")
    parser.add_argument("--out", metavar="FOLDER", help="default: studies/<name>")
    _trust_flag(parser)
    _data_flags(parser)


def _corpora_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="list", choices=["list", "check", "manifest"])
    parser.add_argument("names", nargs="*", metavar="CORPUS")
    parser.add_argument("--out", metavar="FILE", help="manifest to write (Parquet, CSV)")
    parser.add_argument(
        "--sample", type=_from(1), metavar="N", help="open only N clips of each corpus"
    )
    _data_flags(parser)


def _plugins_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="show one plugin with its arguments, or a recipe")
    parser.add_argument("--check", action="store_true", help="load every plugin (takes seconds)")


def _doctor_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="load every plugin and ask torch for its devices"
    )
    _data_flags(parser)


def _demo_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="demo", metavar="FOLDER")
    # Twelve speakers take turns: with fewer recordings dev or eval would be empty.
    parser.add_argument("--clips", type=_from(12), default=96, help="recordings in each corpus")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
