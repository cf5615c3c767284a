"""Recordings that are judged beside the event loop: a few at a time, a few waiting, no more."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from starlette.requests import Request

from amsdf.audio import AudioError, stream_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.scoring.judging.explain import Evidence, explain_recording
from amsdf.scoring.judging.judge import Judge
from amsdf.scoring.judging.verdict import Verdict, duration, headline, lowest_of
from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.recordings.uploads import Spool, source_of
from amsdf.serving.http.settings import ServeSettings


@dataclass(frozen=True)
class Judgement:
    """A verdict and, where it was asked for, what moves the score of its lowest window."""

    verdict: Verdict
    evidence: tuple[Evidence, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The verdict with its words, ready for JSON; `evidence` is of the window `explained`."""
        verdict = self.verdict
        found = {**verdict.to_dict(), "headline": headline(verdict), "lines": verdict.lines()}
        if self.evidence is None:
            return found
        explained = asdict(lowest_of(verdict)) if verdict.windows else None
        return {**found, "evidence": list(map(asdict, self.evidence)), "explained": explained}


class Patience:
    """Ends a recording that is too long, takes too long, or that nobody waits for."""

    def __init__(self, settings: ServeSettings):
        self._settings = settings
        self._deadline = time.monotonic() + settings.request_seconds
        self._left = threading.Event()

    def leave(self) -> None:
        """Nobody waits any more."""
        self._left.set()

    def check(self) -> None:
        """Stop here if it is time to."""
        if self._left.is_set():
            raise ApiError(499, "client_left", "the client has left")
        if time.monotonic() > self._deadline:
            text = duration(self._settings.request_seconds)
            raise ApiError(503, "took_too_long", f"the answer was not there within {text}", 60)

    def watch(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The blocks (S,), as long as there is patience."""
        samples = 0
        for block in blocks:
            self.check()
            samples += len(block)
            if samples > self._settings.max_seconds * SAMPLE_RATE:
                text = duration(self._settings.max_seconds)
                raise ApiError(413, "too_long", f"recordings up to {text} are judged here")
            yield block


class Judging:
    """The threads that judge, and who waits for them."""

    def __init__(self, settings: ServeSettings):
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.at_once, thread_name_prefix="judge")
        self._pending: set[Future[Judgement]] = set()

    @property
    def pending(self) -> int:
        """Recordings that are judged or wait."""
        return len(self._pending)

    def require_room(self) -> None:
        """Refuse one more where as many wait as may."""
        if self.pending >= self._settings.at_once + self._settings.max_queue:
            raise ApiError(503, "busy", "too many recordings wait already; try again soon", 5)

    async def judge(
        self, judge: Judge, spool: Spool, request: Request, explain: bool = False
    ) -> Judgement:
        """Judge an upload, which is closed when it is done or its client has left."""
        patience = Patience(self._settings)
        with ExitStack() as refused:
            refused.callback(spool.close)
            self.require_room()
            future = self._threads.submit(_judge, judge, spool, patience, explain)
            refused.pop_all()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        # A thread may still read it when the client is long gone.
        future.add_done_callback(lambda _: spool.close())
        gone, waited = asyncio.create_task(_left(request)), asyncio.wrap_future(future)
        try:
            both: set[asyncio.Future[Any]] = {waited, gone}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if waited.done():
                return waited.result()
            raise ApiError(499, "client_left", "the client has left")
        finally:
            patience.leave()
            waited.cancel()
            gone.cancel()

    def close(self) -> None:
        """Wait for what is judged, and take no more."""
        self._threads.shutdown(cancel_futures=True)


async def _left(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _judge(judge: Judge, spool: Spool, patience: Patience, explain: bool) -> Judgement:
    patience.check()
    try:
        verdict = judge.judge_stream(stream_audio(source_of(spool)), patience.watch)
        if not explain:
            return Judgement(verdict)
        return Judgement(verdict, _evidence(judge, verdict, spool, patience))
    except AudioError as error:
        # The reason alone: the rest names an open file of this process.
        raise ApiError(422, "unusable_recording", f"the recording {error.reason}") from None


def _evidence(
    judge: Judge, verdict: Verdict, spool: Spool, patience: Patience
) -> tuple[Evidence, ...]:
    if not verdict.windows:
        return ()
    place = verdict.windows.index(lowest_of(verdict))
    blocks = patience.watch(stream_audio(source_of(spool)))
    return tuple(explain_recording(judge.detector, blocks, place, judge.settings))
