"""Several processes as one: whoever fails, all stop, one says why, and none waits for ever.

`accelerate launch` and `torchrun` start the same command several times; alone, all this is nothing.
What every process can be told is raised in all of them: `raise_together`, `fail_together`. Any
other error ends its process at once (`end_this_one`). Then the launcher stops the others; without a
launcher, they find their connection closed.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState

#: How long one process may wait for another that lives: the first one alone computes tables and
#: references, and shares of clips are uneven. Whoever dies is found by a closed connection.
PATIENCE = timedelta(days=7)
#: Under this key the first process that fails leaves its reason for the others.
_REASON = "amsdf/reason"

T = TypeVar("T")


def on_cpu() -> bool:
    """Whether CPUs are meant; where there is nothing else, `torchrun` does not say so."""
    asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "on")
    return asked or not torch.accelerator.is_available()


def this_process() -> PartialState:
    """This process among those that were started together; it joins them on the first call."""
    return PartialState(cpu=on_cpu(), timeout=PATIENCE)


def num_together() -> int:
    """How many processes work together now; one that has left the others is alone."""
    this_process()
    return dist.get_world_size() if dist.is_initialized() else 1


def can_work_together() -> bool:
    """Whether there are others, and this process has joined them, or can still do so."""
    try:
        return num_together() > 1
    except RuntimeError:  # they have ended while it was joining
        return False


def place_among() -> int:
    """The place of this process among those that work together; 0 is the main one, or alone."""
    return dist.get_rank() if num_together() > 1 else 0


def raise_together(problem: str) -> None:
    """A ValueError in every process if any of them has a problem; all must come here."""
    problem = next(filter(None, gather([problem])), "")
    if problem:
        raise ValueError(problem)


@contextmanager
def fail_together() -> Iterator[None]:
    """A part that may be refused in some processes only; behind it all go on, or all raise."""
    if num_together() == 1:
        yield
        return
    problem = ""
    try:
        yield
    except (ValueError, OSError) as error:
        problem = str(error) or type(error).__name__
    raise_together(problem)


def on_main(action: Callable[[], None]) -> None:
    """Do it in the first process; behind it all go on, or all raise."""
    with fail_together():
        if place_among() == 0:
            action()


def from_main(make: Callable[[], T]) -> T:
    """What the first process makes, in all processes; or all raise."""
    made: list[Any] = [None]

    def keep() -> None:
        made[0] = make()

    on_main(keep)
    if num_together() > 1:
        dist.broadcast_object_list(made, src=0)
    return made[0]


def gather(mine: list[T]) -> list[T]:
    """The lists of all processes as one, in all of them, in the order of the processes."""
    if num_together() == 1:
        return mine
    found: list[Any] = [None] * num_together()
    dist.all_gather_object(found, mine)
    return [each for part in found for each in part]


def sum_over_processes(number: float) -> float:
    """The sum of a number over all processes."""
    if num_together() == 1:
        return number
    total = torch.tensor(number, dtype=torch.float64, device=this_process().device)
    dist.all_reduce(total)
    return float(total)


def leave_process_group() -> None:
    """The end of what is done together; after it each process goes on alone."""
    this_process().destroy_process_group()


def is_first_to_fail(reason: str) -> bool:
    """Whether no other process has given a reason before; then this one is for people to read."""
    store = dist.distributed_c10d._get_default_store()
    mine = f"{place_among()}: {reason}"  # reasons may well be equal
    try:
        return store.compare_set(_REASON, "", mine).decode() == mine
    except RuntimeError:  # the process that keeps the store has ended
        return True


def end_this_one(status: int) -> NoReturn:
    """End without waiting for threads and connections, some of which wait for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
