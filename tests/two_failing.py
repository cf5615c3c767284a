"""A command of two processes, of which one fails: `two_failing.py HOW RANK WORDS…`."""

import os
import signal
import sys
from collections.abc import Callable

import torch

from amsdf.cli.main import main
from amsdf.scoring import scorer
from amsdf.training.runs.run_folder import RunFolder
from amsdf.training.step import Stepper


def crash(*_: object, **__: object) -> None:
    raise RuntimeError("a crash")


def refuse(*_: object, **__: object) -> None:
    raise ValueError("a refusal")


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def second_time(plain: Callable, fail: Callable) -> Callable:
    """What works once and then fails."""
    calls = []

    def replaced(*given: object, **named: object) -> object:
        calls.append(1)
        return fail() if len(calls) > 1 else plain(*given, **named)

    return replaced


def break_it(how: str) -> None:
    """Let a part of the program fail in this process."""
    where, _, way = how.partition("-")
    fail = {"crash": crash, "refuse": refuse, "die": die}[way]
    if where == "step":
        Stepper.step = second_time(Stepper.step, fail)
    elif where == "save":
        RunFolder.save_last = fail
    elif where == "batch":
        scorer.PartialScores.append = second_time(scorer.PartialScores.append, fail)


if __name__ == "__main__":
    torch.set_num_threads(1)
    how, rank, *words = sys.argv[1:]
    if os.environ["RANK"] == rank:
        break_it(how)
    sys.exit(main(words))
