"""Windows of concurrent requests, scored in turn and together by one thread.

One thread, because a detector uses all cores by itself. In turn, so that an hour of sound does not
hold up a short clip. Together only where that pays: on a CPU it gains nothing (docs/serving.md),
and the last digits of a score depend on how many windows are scored with it.
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from amsdf.detector.detector import Detector
from amsdf.detector.inference.cutting import cut
from amsdf.detector.inference.part_batches import PartBatch, batched
from amsdf.detector.inference.scores import ScoredPart, ScoreSettings, score_parts

#: Windows of several requests in one batch, by the kind of device; on others there are none.
MOST_TOGETHER = {"cuda": 16}


@dataclass(eq=False)
class _Asked:
    """Windows of one request, and their scores once they are there."""

    detector: Detector
    batch: PartBatch
    settings: ScoreSettings
    answer: list[ScoredPart] | None = None

    def goes_with(self, other: "_Asked") -> bool:
        """Whether both can be one batch: as long, for the same detector."""
        mine, theirs = self.batch, other.batch
        return (
            (self.detector, self.settings) == (other.detector, other.settings)
            and (mine.lengths, theirs.lengths) == (None, None)
            and mine.waveform.shape[1:] == theirs.waveform.shape[1:]
        )


class SharedScorer:
    """Scores the recordings of many threads."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._waiting: list[_Asked] = []
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Requests with windows that wait for their turn."""
        return len(self._waiting)

    def score(
        self, detector: Detector, blocks: Iterable[np.ndarray], settings: ScoreSettings
    ) -> Iterator[ScoredPart]:
        """`score_recording`, for a thread among others."""
        if detector.experiment.clip.samples is None:
            detector.require_lengths()
        for batch in batched(cut(blocks, detector.experiment), settings.batch_size):
            asked = _Asked(detector, batch, settings)
            with self._lock:
                self._waiting.append(asked)
            self._thread.submit(self._answer, asked).result()
            yield from asked.answer or []

    def close(self) -> None:
        """Take no more."""
        self._thread.shutdown(cancel_futures=True)

    def _answer(self, asked: _Asked) -> None:
        """Score it, with others that wait, unless it was scored with an earlier one."""
        if asked.answer is not None:
            return
        together = self._taken(asked)
        try:
            _score(together)
        except (RuntimeError, MemoryError):
            if len(together) == 1:
                raise
            _score([asked])  # the others come in their turn

    def _taken(self, asked: _Asked) -> list[_Asked]:
        """It, and who waits and goes with it."""
        most = MOST_TOGETHER.get(asked.detector.device.type, 0)
        found, room = [asked], most - len(asked.batch.parts)
        with self._lock:
            for other in self._waiting:
                size = len(other.batch.parts)
                if other is not asked and size <= room and asked.goes_with(other):
                    found.append(other)
                    room -= size
            self._waiting = [each for each in self._waiting if each not in found]
        return found


def _score(together: list[_Asked]) -> None:
    first = together[0]
    joined = PartBatch(
        parts=[part for each in together for part in each.batch.parts],
        waveform=torch.cat([each.batch.waveform for each in together]),
        lengths=first.batch.lengths,
    )
    scored = iter(score_parts(first.detector, joined, first.settings))
    for each in together:
        each.answer = [next(scored) for _ in each.batch.parts]
