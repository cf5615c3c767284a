"""Threads that wait for work sleep, and numpy has one; by default they spin, which others pay for.

The work of a short command is many small pieces. On a busy machine `score` of one clip took twice
the processor time with spinning threads, and small products of numpy on two threads a hundred times
as long as on one.
"""

import os


def let_threads_sleep() -> None:
    """Ask OpenMP and OpenBLAS so, unless their user has asked for something.

    They only listen before torch and numpy are imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
