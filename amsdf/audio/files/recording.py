"""A recording as it is: its samples between two times, and whether its file is cut off."""

from collections.abc import Iterator

from amsdf.audio.files.announced import what_is_missing
from amsdf.audio.files.decoding import Block, decode_blocks
from amsdf.audio.files.sources import AudioError, CutOffError, Source, located


class Recording:
    """A file, the bytes of one, or an open binary file."""

    def __init__(self, source: Source):
        self.name, self._place = located(source)
        #: Once its end is read: what is missing, in words; empty where all is there.
        self.cut_off = ""

    def blocks(self, start: float | None = None, end: float | None = None) -> Iterator[Block]:
        """Samples (S, channels) float32 between two times in seconds, and their rate."""
        first = start or 0.0
        if first < 0 or (end is not None and end <= first):
            raise self._no_part(first, end)
        taken, rate = 0, 0
        try:
            for samples, rate in decode_blocks(self._place, self.name, first):
                length = None if end is None else round(end * rate) - round(first * rate)
                part = samples if length is None else samples[: length - taken]
                taken += len(part)
                if len(part):
                    yield part, rate
                if length is not None and taken >= length:
                    return
        except CutOffError as error:
            self.cut_off = error.reason
            return
        except AudioError:
            if not taken:
                raise
            there = first + taken / rate
            self.cut_off = f"is cut off or damaged: {there:.1f} s of it can be decoded"
            return
        if first and not taken:
            raise self._no_part(first, end)
        if rate:
            self.cut_off = what_is_missing(self._place, first + taken / rate)

    def _no_part(self, start: float, end: float | None) -> AudioError:
        every = decode_blocks(self._place, self.name)
        seconds = sum(len(samples) / rate for samples, rate in every)
        asked = f"from {start} s to {'the end' if end is None else f'{end} s'}"
        return AudioError(self.name, f"has no part {asked}; it lasts {seconds:.2f} s")
