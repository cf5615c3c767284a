"""What every request passes: the check of its host, its count, its line in the log, its headers."""

import asyncio
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amsdf.serving.http.auth import SUBPROTOCOL, require_own_machine, require_token
from amsdf.serving.http.connections.access_log import write_line
from amsdf.serving.http.connections.metrics import Metrics
from amsdf.serving.http.errors import ApiError

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET")
#: Seconds that a refused client has to end its upload; a tenth of them without a byte.
_DRAIN = 5.0
#: What the page may load and do: only what comes from here.
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    "cache-control": "no-store",
}


@dataclass
class _Seen:
    """What is known of one request."""

    request_id: str
    bytes_in: int = 0
    status: int = 0
    #: Whether the client may still be sending.
    unread: bool = True


class Entrance:
    """Middleware around the whole app."""

    def __init__(self, app: ASGIApp, metrics: Metrics, token: str | None):
        self._app, self._metrics, self._token = app, metrics, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request, or a WebSocket, on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        seen, started = _Seen(secrets.token_hex(8)), time.perf_counter()

        async def counted() -> Message:
            message = await receive()
            content = message.get("body") or message.get("bytes") or message.get("text") or b""
            seen.bytes_in += len(content)
            seen.unread = message.get("more_body", False)
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "websocket.accept":
                seen.status = 101
                if SUBPROTOCOL in scope["subprotocols"]:  # else a browser closes it
                    message["subprotocol"] = SUBPROTOCOL
            elif message["type"] == "websocket.close" and not seen.status:
                seen.status = 403  # closed before it was opened
            elif message["type"].endswith("http.response.start"):
                seen.status = message["status"]
                if seen.unread and seen.status >= 400 and seen.status != 408:
                    await _drain(scope, counted)
                message["headers"] = [*message["headers"], *_headers(seen)]
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._checked(scope, counted, marked)
        finally:
            self._note(scope, seen, time.perf_counter() - started)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            if self._token is None:
                require_own_machine(connection)
            elif scope["type"] == "websocket":
                require_token(connection, self._token)
        except ApiError as error:
            scope["state"]["error_code"] = error.code
            await error.answer()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _note(self, scope: Scope, seen: _Seen, seconds: float) -> None:
        route = scope["state"].get("route") or getattr(scope.get("route"), "path", None) or "other"
        method, status = scope.get("method", "WEBSOCKET"), seen.status or 500
        self._metrics.count(route, status, seconds)
        line = {
            "method": method if method in _METHODS else "other",
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "bytes": seen.bytes_in,
            "id": seen.request_id,
        }
        if code := scope["state"].get("error_code"):
            line["error"] = code
        write_line(line)


def _headers(seen: _Seen) -> list[tuple[bytes, bytes]]:
    added = {**_HEADERS, "x-request-id": seen.request_id}
    return [(name.encode(), value.encode()) for name, value in added.items()]


async def _drain(scope: Scope, receive: Receive) -> None:
    """Read what a client still sends before it is refused: else it may not see the answer.

    Not for long, and not where the client waits for the answer before it sends.
    """
    if scope["type"] != "http" or "expect" in HTTPConnection(scope).headers:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN):
            more = True
            while more:
                message = await asyncio.wait_for(receive(), _DRAIN / 10)
                more = message.get("more_body", False)
