"""The command line: words to a command, a command to an exit status.

0: done. 1: done, but something was set aside (it is listed). 2: refused or failed; one line says
why. 130: stopped by its user. 141: stopped because nobody reads what it prints.
Commands are imported when they are called, so that `--help` answers without torch.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

from amsdf.cli.flags import amsdf_authors, build_parser
from amsdf.cli.process import keep_freed_memory, let_threads_sleep
from amsdf.cli.terminal.errors import line_of
from amsdf.cli.terminal.stdout import outliving_its_reader

#: Commands that several processes do together.
SHARED = ("train", "eval", "study")
#: Commands that write as they go; `score` does with --out.
KEEPING = ("train", "eval", "study", "demo", "arena", "cache")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; every error is one line and status 2."""
    words = list(sys.argv[1:] if words is None else words)
    called, kept = "amsdf", False
    try:
        if amsdf_authors.is_legacy(words):
            words = amsdf_authors.translate(words)
            print("# amsdf " + shlex.join(words), file=sys.stderr)
        args = build_parser().parse_args(words)
        called, kept = f"amsdf {args.command}", _keeps(args)
        if getattr(args, "quiet", False):
            _silence_hugging_face()
        _be_one_of_several(args.command)
        keep_freed_memory()
        let_threads_sleep()
        command = import_module(f"amsdf.cli.{args.command.replace('import', 'import_')}")
        with outliving_its_reader(finish=kept or args.command not in ("score", "live")):
            return command.run(args)
    except KeyboardInterrupt:
        if _is_first_here():
            print(f"{called}: stopped{'; what was done is kept' * kept}", file=sys.stderr)
        return 130
    except Exception as error:  # a person is told in one line, whichever library failed
        if os.environ.get("AMSDF_TRACEBACK"):
            raise
        return _say_once(called, error)


def _say_once(called: str, error: Exception) -> int:
    """One line, from one of several processes; where they have joined, this one ends at once."""
    line = f"{called}: {line_of(error)}"
    if _is_one_of_several() and "amsdf.training.processes" in sys.modules:
        processes = import_module("amsdf.training.processes")
        if processes.can_work_together():
            if processes.is_first_to_fail(line):
                print(line, file=sys.stderr)
            processes.end_this_one(2)
    if _is_first_here() or not isinstance(error, ValueError | OSError):  # all refuse alike
        print(line, file=sys.stderr)
    return 2


def _is_one_of_several() -> bool:
    """Whether `torchrun` or `accelerate launch` started this process beside others."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def _is_first_here() -> bool:
    """Whether this is the only process, or the first of several on this machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _keeps(args: argparse.Namespace) -> bool:
    """Whether a command that is stopped leaves on the disk what it has done."""
    return args.command in KEEPING or (args.command == "score" and bool(args.out))


def _silence_hugging_face() -> None:
    """No progress bars and no reports of what was loaded; our loading refuses what does not fit."""
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if "transformers" in sys.modules:  # it has read its environment already
        logging = import_module("transformers.utils.logging")
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _be_one_of_several(command: str) -> None:
    """Started by `torchrun` or `accelerate launch`: the first process alone prints."""
    if not _is_one_of_several():
        return
    if command not in SHARED:
        raise ValueError(
            f"works in one process; start it as `python main.py {command}`. "
            f"On several processes: {', '.join(SHARED)}"
        )
    if os.environ.get("RANK", "0") != "0":
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
