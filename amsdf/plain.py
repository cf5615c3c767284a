"""Whether the straightforward way is asked for: every step by itself, in float32, as papers say it.

It is what the quick ways are measured against, and compared with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLAIN = ContextVar("plain", default=False)


def is_plain() -> bool:
    """Whether the caller wants the straightforward way."""
    return _PLAIN.get()


@contextmanager
def plain_way(wanted: bool = True) -> Iterator[None]:
    """While open, the straightforward way is taken.

    Example:
        >>> with plain_way():
        ...     is_plain()
        True
    """
    token = _PLAIN.set(wanted)
    try:
        yield
    finally:
        _PLAIN.reset(token)
