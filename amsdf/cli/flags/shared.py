"""Flags that several commands have."""

import argparse
from collections.abc import Callable, Sequence


def whole_number(least: int) -> Callable[[str], int]:
    """The type of a flag: a whole number, `least` or more."""

    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least} on; given: {text}"
            )
        return int(text)

    return whole


def add_repeatable(parser: argparse._ActionsContainer, flag: str, metavar: str, text: str) -> None:
    """A flag that may be given several times."""
    parser.add_argument(
        flag, action="append", default=[], metavar=metavar, help=f"{text}; may be repeated"
    )


def add_experiment_flags(parser: argparse.ArgumentParser) -> None:
    """What is trained, on what, and how."""
    group = parser.add_argument_group("the experiment (flags > file > recipe > defaults)")
    group.add_argument("--recipe", metavar="NAME", help="a shipped experiment: amsdf, aasist, …")
    group.add_argument("--config", metavar="FILE", help="an experiment in YAML")
    component = "NAME[:key=value,…]"
    add_repeatable(
        group,
        "--view",
        "NAME=ENCODER[:key=value,…]",
        "set a view: text=whisper:size=small; text=none takes it away",
    )
    group.add_argument("--head", metavar=component, help="what joins the views: graph-fusion, …")
    group.add_argument("--loss", metavar=component, help="what is learnt and scores: oc-softmax, …")
    add_repeatable(group, "--augment", component, "change training clips: rawboost, noise, …")
    add_repeatable(group, "--freeze", "VIEW", "do not train the encoder of this view")
    group.add_argument("--train", nargs="+", metavar="CORPUS", help="corpora to train on")
    group.add_argument("--dev", nargs="+", metavar="CORPUS", help="corpora that select the epoch")
    group.add_argument("--epochs", type=int, help="passes over the training corpora")
    group.add_argument("--batch-size", type=int, help="clips in a training step")
    group.add_argument("--learning-rate", type=float, help="of the optimiser, e.g. 1e-4")
    group.add_argument(
        "--precision", choices=["fp32", "bf16", "fp16"], help="number format of training"
    )
    group.add_argument("--seed", type=int, help="of weights, order and augmentation")
    group.add_argument("--name", help="names the run folder: runs/NAME without --out")
    add_repeatable(group, "--set", "KEY=VALUE", "any key of the experiment: train.patience=5")


def add_corpus_roots(parser: argparse.ArgumentParser) -> None:
    """Where corpora are."""
    add_repeatable(
        parser, "--data", "NAME=PATH", "where a corpus is (also $AMSDF_DATA and data.yaml)"
    )


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Where corpora are, and how they are read."""
    add_corpus_roots(parser)
    parser.add_argument(
        "--workers", type=whole_number(0), default=0, help="processes that read audio (default 0)"
    )
    add_quiet(parser)


def add_cache_flags(parser: argparse.ArgumentParser) -> None:
    """Where views of frozen encoders are kept."""
    parser.add_argument(
        "--cache", metavar="FOLDER", help="keep what frozen encoders give, and take it from there"
    )
    add_cache_dtype(parser)


def add_cache_dtype(parser: argparse.ArgumentParser) -> None:
    """In which number format."""
    parser.add_argument(
        "--cache-dtype",
        choices=["fp32", "bf16", "fp16"],
        help="number format of what is kept: fp32 (default) changes nothing, the others are half "
        "as large; `cache info` gives their error",
    )


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Silence all but results."""
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def add_trust_flag(parser: argparse.ArgumentParser) -> None:
    """The caller's word on foreign code."""
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the code that a view's model folder brings along; only if you trust it",
    )


def add_opening_flags(parser: argparse.ArgumentParser, batch_size: int) -> None:
    """How a detector is opened and runs; `batch_size` is the default."""
    parser.add_argument(
        "--bonafide-class",
        type=int,
        choices=[0, 1],
        help="which class of a published .pth is bona fide",
    )
    add_trust_flag(parser)
    parser.add_argument(
        "--batch-size",
        type=whole_number(1),
        default=batch_size,
        help=f"clips scored at once (default {batch_size})",
    )
    parser.add_argument(
        "--score-rule",
        choices=["default", "published"],
        default="default",
        help="published: the score that the authors report, to repeat their figures "
        "(cross entropy: the bona fide logit alone)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, …; by default the best there is")


def add_scoring_flags(parser: argparse.ArgumentParser, batch_size: int) -> None:
    """How recordings are scored; `batch_size` is the default."""
    add_opening_flags(parser, batch_size)
    parser.add_argument(
        "--precision",
        choices=["fp32", "bf16", "int8", "auto"],
        default="fp32",
        help="number format of the encoders; auto times a product of each and takes what this "
        "processor is quickest in (default fp32)",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="the straightforward computation, to measure the quick one against",
    )
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="what scores: this machine, or a Ray cluster (extra `ray`)",
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="of the Ray cluster; by default this machine"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first unreadable clip")
    parser.add_argument(
        "--threshold",
        choices=["eer", "far-1%", "far-5%", "cost"],
        help="which threshold, chosen on dev, decides instead of the default: eer for eval, "
        "an operating point with a middle for score; far-1%% lets at most 1 %% of fakes like "
        "those of dev pass, with 95 %% confidence, and needs 299 of them (far-5%%: 59)",
    )


def add_table_flags(parser: argparse.ArgumentParser) -> None:
    """Which tables are printed."""
    add_repeatable(parser, "--by", "COLUMN", "one row a value of this column, e.g. attack")
    parser.add_argument("--grid", metavar="COLUMN,COLUMN", help="rows and columns: attack,codec")
    parser.add_argument(
        "--figures",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAME,…",
        help="figures with intervals for terminal, CSV and page, or all: eer, auc, frr, far, "
        "accuracy, f1, min_dcf, act_dcf, cllr, min_cllr, ece, … (default: EER here, all elsewhere)",
    )
    parser.add_argument(
        "--resample",
        default="auto",
        metavar="COLUMN",
        help="what intervals and tests draw whole: clip, or a column; by default source, else "
        "speaker, else clip",
    )
    parser.add_argument(
        "--pool-all",
        action="store_true",
        help="pool corpora too that a detector has seen something of",
    )
    parser.add_argument(
        "--fuse",
        choices=["mean", "vote", "logistic"],
        help="add all detectors together as one more",
    )
    parser.add_argument(
        "--fuse-on", metavar="CORPUS", help="the scored corpus that --fuse logistic is fitted on"
    )
    parser.add_argument(
        "--as-seeds",
        action="store_true",
        help="the detectors are one recipe trained with several seeds: best, average and vote",
    )
    parser.add_argument(
        "--compare", action="store_true", help="test whether two detectors really differ"
    )
    add_repeatable(
        parser, "--asv", "[CORPUS=]FILE", "scores of a speaker verification system, for the t-DCF"
    )
    add_repeatable(parser, "--asv-key", "[CORPUS=]FILE", "key of --asv in the layout of 2021")


def named_paths(options: Sequence[str]) -> dict[str, str]:
    """`NAME=PATH` each -> a mapping."""
    for option in options:
        if not all(option.partition("=")[::2]):
            raise ValueError(f"--data: {option!r} is not of the form name=path")
    return dict(option.split("=", 1) for option in options)
