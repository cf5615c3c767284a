"""The AMSDF authors' flags, as their README gives them, translated into ours.

--eval --ename asvs2019la --emodel ./checkpoint/M1.pth -tbs 64 --score_path ./scores
-bs 12 -tbs 64 --num_epoch 15 --seed 1234 --save

Several models (`--emodel M1.pth,M2.pth`, `--emodel` again, or a folder) are seeds of one recipe.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

#: The corpora of their table, scored when no `--ename` is given.
ALL_CORPORA = (
    "asvs2019la",
    "asvs2021la",
    "asvs2021df",
    "asvs2015e",
    "asvs2015d",
    "for",
    "fac",
    "itw",
)
OTHER_FLAGS = (
    *("ename", "score_path", "num_epoch", "seed", "lr", "weight_decay"),
    *("num_workers", "stop_epoch", "warm_epoch", "modelroot", "mn"),
)
FLAGS = (
    *("--eval", "--save", "-bs", "--batch_size", "-tbs", "--test_batch_size"),
    *(f"--{flag}" for flag in ("emodel", *OTHER_FLAGS)),
)


def is_legacy(words: Sequence[str]) -> bool:
    """Whether a command line is theirs: it starts with a flag of theirs instead of a command."""
    return bool(words) and words[0].partition("=")[0] in FLAGS


def translate(words: Sequence[str]) -> list[str]:
    """Their command line as ours."""
    args, ours = _parser().parse_known_args(list(words))
    if args.eval or args.emodel:
        return [*_evaluation(args), *ours]
    if args.score_path:
        return ["report", args.score_path, *ours]
    return [*_training(args), *ours]


def _evaluation(args: argparse.Namespace) -> list[str]:
    corpora = [args.ename] if args.ename else ALL_CORPORA
    given = [model for word in args.emodel or [] for model in word.split(",") if model]
    models = given or ["./checkpoints/M1.pth"]
    detectors = [word for model in models for word in ("--detector", model)]
    words = ["eval", *detectors, "--on", *corpora]
    if "fac" in corpora:
        words += ["--as-published"]
    if len(models) > 1 or len(list(Path(models[0]).glob("*.pth"))) > 1:
        words += ["--as-seeds"]
    if args.test_batch_size:
        words += ["--batch-size", args.test_batch_size]
    if args.num_workers:
        words += ["--workers", args.num_workers]
    return [*words, "--out", args.score_path or "./scores"]


def _training(args: argparse.Namespace) -> list[str]:
    flags = {
        "--batch-size": args.batch_size,
        "--epochs": args.num_epoch,
        "--seed": args.seed,
        "--learning-rate": args.lr,
        "--workers": args.num_workers,
    }
    settings = {
        "train.eval_batch_size": args.test_batch_size,
        "train.weight_decay": args.weight_decay,
        "train.patience": args.stop_epoch,
        "train.skip_validation": args.warm_epoch,
    }
    words = ["train", "--recipe", "amsdf"]
    for flag, value in flags.items():
        words += [flag, value] if value else []
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"] if value else []
    out = f"{args.modelroot or 'runs'}/{args.mn or 'amsdf'}-seed{args.seed or 1234}"
    return [*words, "--out", out]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see amsdf --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--eval", action="store_true")
    parser.add_argument("--save", action="store_true")  # ours always saves
    parser.add_argument("-bs", "--batch_size", dest="batch_size")
    parser.add_argument("-tbs", "--test_batch_size", dest="test_batch_size")
    parser.add_argument("--emodel", action="append")
    for flag in OTHER_FLAGS:
        parser.add_argument(f"--{flag}")
    return parser
