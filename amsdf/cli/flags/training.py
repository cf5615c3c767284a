"""The flags of `train`, `study` and `demo`."""

import argparse

from amsdf.cli.flags.shared import (
    add_cache_flags,
    add_data_flags,
    add_experiment_flags,
    add_quiet,
    add_repeatable,
    add_trust_flag,
)


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf train`."""
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


def add_init_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf init`."""
    parser.add_argument(
        "file", nargs="?", default="experiment.yaml", metavar="FILE", help="YAML file to write"
    )
    add_experiment_flags(parser)


def add_study_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf study`."""
    parser.add_argument("file", metavar="STUDY.yaml", help="recipes, losses, seeds and corpora")
    parser.add_argument("--out", metavar="FOLDER", help="default: studies/<name>")
    add_cache_flags(parser)
    add_trust_flag(parser)
    add_data_flags(parser)


def add_demo_flags(parser: argparse.ArgumentParser) -> None:
    """Of `amsdf demo`."""
    parser.add_argument("--out", default="demo", metavar="FOLDER", help="default: demo")
    parser.add_argument("--epochs", type=int, help="passes over the training clips")
    add_quiet(parser)
