"""Standard output whose reader may leave: `amsdf score … | head -1`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

#: What a shell reports of a command that its reader left: 128 and the number of SIGPIPE.
NOBODY_READS = 141


@contextmanager
def outliving_its_reader(finish: bool) -> Iterator[None]:
    """When the reader leaves, go on unheard (`finish`: results are written) or end with 141."""
    before, output = sys.stdout, _Output(sys.stdout, finish)
    sys.stdout = cast(TextIO, output)
    try:
        yield
    finally:
        sys.stdout = before
        output.flush()


class _Output:
    def __init__(self, stream: TextIO, finish: bool):
        self._stream = stream
        self._finish = finish

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._nobody_reads()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._nobody_reads()

    def _nobody_reads(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if not self._finish:
            raise SystemExit(NOBODY_READS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
