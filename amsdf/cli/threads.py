"""Threads that wait for work sleep; by default they spin, and take the processor from others.

The work of a short command is many small pieces. On a busy machine `score` of one clip took twice
the processor time with spinning threads.
"""

import os


def let_threads_sleep() -> None:
    """Ask OpenMP so, unless its user has asked for something; before torch is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
