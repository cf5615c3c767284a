"""How long a loop waits for its data: what decoding costs beside computing."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
#: A share of the time that is worth a word: more workers would help.
NOTABLE = 0.1


@dataclass
class Waits:
    """The seconds that a loop has waited so far."""

    seconds: float = 0.0

    def words(self, seconds: float) -> str:
        """The share of so many seconds in words; empty where it is not notable."""
        share = self.seconds / max(seconds, 1e-9)
        return f"{share:.0%} of the time waiting for data" if share >= NOTABLE else ""


def waited(items: Iterable[T], waits: Waits) -> Iterator[T]:
    """The same items, one after the other; what each is waited for is added to `waits`."""
    started = time.monotonic()
    for item in items:
        waits.seconds += time.monotonic() - started
        yield item
        started = time.monotonic()
    waits.seconds += time.monotonic() - started
