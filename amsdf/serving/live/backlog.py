"""Sound that is read while other sound is judged, in bounded memory."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from amsdf.audio.files.decoding import Block

#: Of the sound that waits, this many seconds are too many: windows are skipped.
BEHIND = 2.0
#: More than so many seconds are not kept: the source has to wait, or loses sound by itself.
MOST = 30.0
#: Seconds without sound, after which this is said.
QUIET_FOR = 10.0


@dataclass(frozen=True)
class Arrival:
    """A block that has come, or none after seconds of waiting, and how much more is there."""

    block: Block | None
    waiting_seconds: float


class Backlog:
    """Reads blocks in a thread of its own; iterating gives them, in order.

    Example:
        >>> [arrival.block[1] for arrival in Backlog(iter([(np.zeros((10, 1)), 8000)]))]
        [8000]
    """

    def __init__(self, blocks: Iterator[Block]):
        self._blocks = blocks
        self._queue: queue.Queue[Block | Exception | None] = queue.Queue()
        self._seconds = 0.0
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def __iter__(self) -> Iterator[Arrival]:
        while True:
            try:
                found = self._queue.get(timeout=QUIET_FOR)
            except queue.Empty:
                yield Arrival(None, 0.0)
                continue
            if found is None:
                return
            if isinstance(found, Exception):
                raise found
            with self._changed:
                self._seconds -= _seconds(found)
                self._changed.notify()
            yield Arrival(found, self._seconds)

    def _read(self) -> None:
        try:
            for block in self._blocks:
                with self._changed:
                    self._changed.wait_for(lambda: self._seconds < MOST)
                    self._seconds += _seconds(block)
                self._queue.put(block)
        except (ValueError, OSError) as error:  # raised where the blocks are asked for
            self._queue.put(error)
        finally:
            self._queue.put(None)


def _seconds(block: Block) -> float:
    samples, rate = block
    return len(samples) / rate
