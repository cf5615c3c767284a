"""Keeps freed memory in the process, so that the next batch does not ask the system for it again.

On a CPU every layer frees and allocates blocks of many megabytes. glibc maps each of them anew, and
the page faults cost more than the arithmetic: a training step of AASIST-L took 3 times as long
(`scripts/bench/kept_memory.py`).
"""

import ctypes
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
