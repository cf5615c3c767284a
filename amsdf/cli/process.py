"""The process that a command runs in: it keeps freed memory, and threads without work sleep.

On a CPU every layer frees and allocates blocks of many megabytes. glibc maps each of them anew, and
the page faults cost more than the arithmetic: a training step of AASIST-L took 3 times as long
(`scripts/bench/kept_memory.py`).

Threads that wait for work spin by default, which others pay for. The work of a short command is
many small pieces. On a busy machine `score` of one clip took twice the processor time with spinning
threads, and small products of numpy on two threads a hundred times as long as on one.
"""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
MEBIBYTE = 1 << 20


def keep_freed_memory() -> bool:
    """Tell glibc's allocator; False where there is another one."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2047 * MEBIBYTE, M_TOP_PAD: 256 * MEBIBYTE}
    return all(mallopt(key, value) == 1 for key, value in settings.items())


def let_threads_sleep() -> None:
    """Ask OpenMP and OpenBLAS so, unless their user has asked for something.

    They only listen before torch and numpy are imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
