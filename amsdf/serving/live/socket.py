"""`/v1/live`: a WebSocket takes samples and answers with rolling verdicts.

The client sends frames of float32 samples, mono, little-endian. A JSON object may come before them:
`{"rate": 48000}`; without it they are at 16 kHz. `{"end": true}` asks for the last verdicts. The
server sends a verdict every 250 ms of sound. What is wrong it says as the other routes do, and
closes.
"""

import asyncio
import json
from collections import deque
from contextlib import suppress

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection

from amsdf.audio.files.decoding import RATES, Block
from amsdf.contracts import SAMPLE_RATE
from amsdf.serving.http.auth import SUBPROTOCOL
from amsdf.serving.http.errors import ApiError, error_body
from amsdf.serving.http.service import Service, service_of
from amsdf.serving.live.backlog import BEHIND, MOST
from amsdf.serving.live.inflow import Inflow
from amsdf.serving.live.policy import with_known_alarms
from amsdf.serving.live.stream import LiveJudge, LiveSettings, LiveVerdict

#: Bytes of a frame: five seconds at 48 kHz.
MOST_BYTES = 1_000_000
#: What a WebSocket is closed with: refused, and try again later.
_REFUSED, _LATER = 1008, 1013

live_routes = APIRouter()


@live_routes.websocket("/v1/live")
async def live(socket: WebSocket, detector: str | None = None) -> None:
    """Judge what comes until the client ends it, leaves, or is silent for too long."""
    offered = socket.scope.get("subprotocols") or [""]
    await socket.accept(SUBPROTOCOL if offered[0] == SUBPROTOCOL else None)
    service = service_of(HTTPConnection(socket.scope))
    try:
        with service.live_stream():
            await _Stream(socket, service, detector).run()
    except ApiError as error:
        socket.scope["state"]["error_code"] = error.code
        code = _REFUSED if error.retry_after is None else _LATER
        with suppress(RuntimeError, WebSocketDisconnect):  # it may have left
            await socket.send_json(error_body(error.code, error.message))
            await socket.close(code, error.message)


class _Stream:
    """One live stream: frames are received while others are judged."""

    def __init__(self, socket: WebSocket, service: Service, detector: str | None):
        self._socket, self._idle = socket, service.settings.idle_seconds
        judge = service.detectors.get(detector)
        try:
            settings, _ = with_known_alarms(judge, LiveSettings(), service.settings.detectors)
            self._live = LiveJudge(judge, settings)
        except ValueError as error:
            raise ApiError(422, "not_live", str(error)) from None
        self._inflow, self._rate = Inflow(), SAMPLE_RATE
        self._frames: deque[Block] = deque()
        self._changed = asyncio.Condition()
        self._ended = False

    async def run(self) -> None:
        """Until the end."""
        receiving = asyncio.create_task(self._receive())
        try:
            while (frame := await self._next()) is not None:
                behind = self._waiting() > BEHIND
                await self._send(await asyncio.to_thread(self._judge, frame, behind))
            if await receiving:  # its last verdicts were asked for
                await self._send(await asyncio.to_thread(self._rest))
                await self._socket.close()
        except WebSocketDisconnect:
            return
        finally:
            receiving.cancel()

    async def _receive(self) -> bool:
        """Take frames as they come; whether the client asks for the last verdicts."""
        try:
            while True:
                message = await asyncio.wait_for(self._socket.receive(), self._idle)
                if message["type"] == "websocket.disconnect":
                    return False
                if message.get("bytes") is None:
                    if self._settings(message["text"]):
                        return True
                    continue
                samples = _samples(message["bytes"])
                if not len(samples):  # seconds of sound would not limit how many wait
                    continue
                async with self._changed:
                    self._frames.append((samples[:, None], self._rate))
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: self._waiting() < MOST)
        except TimeoutError:
            text = f"nothing was sent for {self._idle:g} s"
            raise ApiError(408, "idle", text) from None
        finally:
            self._ended = True
            async with self._changed:
                self._changed.notify_all()

    def _settings(self, text: str) -> bool:
        """Take a JSON object; whether it ends the stream."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if found == {"end": True}:
            return True
        rate = found.get("rate") if isinstance(found, dict) and len(found) == 1 else None
        is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if rate is None or not is_number or not RATES[0] <= rate <= RATES[1]:
            raise ApiError(
                422, "bad_message", 'send {"rate": 48000}, {"end": true}, or frames of samples'
            )
        self._rate = int(rate)
        return False

    async def _next(self) -> Block | None:
        """The next frame; None at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._frames or self._ended)
            if not self._frames:
                return None
            self._changed.notify_all()
            return self._frames.popleft()

    def _waiting(self) -> float:
        return sum(len(samples) / rate for samples, rate in self._frames)

    def _judge(self, frame: Block, behind: bool) -> list[LiveVerdict]:
        return self._live.feed(self._inflow.add(frame), behind)

    def _rest(self) -> list[LiveVerdict]:
        return self._live.feed(self._inflow.rest()) + self._live.finish()

    async def _send(self, verdicts: list[LiveVerdict]) -> None:
        for verdict in verdicts:
            with suppress(RuntimeError):  # it has left
                await self._socket.send_json(verdict.to_dict())


def _samples(content: bytes) -> np.ndarray:
    if len(content) > MOST_BYTES:
        text = f"a frame has {len(content)} bytes; {MOST_BYTES} are taken at once"
        raise ApiError(413, "too_large", text)
    if len(content) % 4:
        raise ApiError(422, "bad_frame", "a frame must be whole float32 samples of 4 bytes")
    return np.frombuffer(content, "<f4")
