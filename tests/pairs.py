"""Two processes as `torchrun` starts them, but with nobody to end one when the other fails.

So a process that waits for ever makes a test time out.
"""

import os
import socket
import subprocess
import sys


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start_two(*words: str) -> list[subprocess.Popen]:
    """The same command twice, as two processes that know of each other."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, "OMP_NUM_THREADS": "1", **common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]


def finish(pair: list[subprocess.Popen], seconds: float = 150) -> list[tuple[int, str, str]]:
    """Exit status, output and errors of both; neither may outlast the time given."""
    try:
        told = [process.communicate(timeout=seconds) for process in pair]
    finally:
        for process in pair:
            process.kill()
    return [(process.returncode, *words) for process, words in zip(pair, told, strict=True)]


def refusals(text: str) -> str:
    """The lines of refusals, without warnings of libraries and progress bars."""
    return "\n".join(part for part in text.splitlines() if part.startswith("amsdf "))


def only_reason(done: list[tuple[int, str, str]]) -> str:
    """The one line that says why; behind the first process, which keeps the word, one may follow.

    A launcher keeps it itself, so that it lasts.
    """
    lines = [line for _, _, err in done for line in refusals(err).splitlines()]
    assert lines and all("another of the processes" in line for line in lines[1:]), done
    return lines[0]
