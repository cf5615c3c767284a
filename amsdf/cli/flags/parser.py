"""The flags of every command. Nothing heavy is imported, so that `--help` answers at once."""

import argparse

from amsdf import __version__
from amsdf.cli.flags.help_texts import COMMANDS, LEGACY, TERMS, epilog_of
from amsdf.cli.flags.lists import (
    add_completion_flags,
    add_corpora_flags,
    add_doctor_flags,
    add_import_flags,
    add_plugins_flags,
    add_recipes_flags,
)
from amsdf.cli.flags.live import add_live_flags
from amsdf.cli.flags.results import add_card_flags, add_report_flags, add_verify_flags
from amsdf.cli.flags.scoring import add_arena_flags, add_eval_flags, add_score_flags
from amsdf.cli.flags.serving import add_export_flags, add_serve_flags
from amsdf.cli.flags.training import (
    add_demo_flags,
    add_init_flags,
    add_study_flags,
    add_train_flags,
)
from amsdf.cli.flags.view_cache import add_view_cache_flags


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
    add_init_flags(made["init"])
    add_train_flags(made["train"])
    add_eval_flags(made["eval"])
    add_score_flags(made["score"])
    add_serve_flags(made["serve"])
    add_live_flags(made["live"])
    add_report_flags(made["report"])
    add_import_flags(made["import"])
    add_card_flags(made["card"])
    add_export_flags(made["export"])
    add_arena_flags(made["arena"])
    add_verify_flags(made["verify"])
    add_study_flags(made["study"])
    add_corpora_flags(made["corpora"])
    add_view_cache_flags(made["cache"])
    add_plugins_flags(made["plugins"])
    add_recipes_flags(made["recipes"])
    add_doctor_flags(made["doctor"])
    add_demo_flags(made["demo"])
    add_completion_flags(made["completion"])
    return parser


def parser_of(command: str) -> argparse.ArgumentParser:
    """The flags of one command."""
    (commands,) = (each for each in build_parser()._actions if isinstance(each.choices, dict))
    assert isinstance(commands.choices, dict)
    return commands.choices[command]
