"""One line of JSON a request: when, what, how it ended. Never content, names of files or tokens."""

import json
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amsdf.serving.http.auth import require_own_machine
from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.metrics import Metrics

LOG = logging.getLogger("amsdf.serving.access")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
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


class Outermost:
    """What every request passes: the check of its host, its log line, its count, its headers."""

    def __init__(self, app: ASGIApp, metrics: Metrics, own_machine_only: bool):
        self._app, self._metrics, self._own_machine_only = app, metrics, own_machine_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, started = _Seen(secrets.token_hex(8)), time.perf_counter()

        async def counted() -> Message:
            message = await receive()
            seen.bytes_in += len(message.get("body", b""))
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                added = {**_HEADERS, "x-request-id": seen.request_id}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in added.items()),
                ]
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._checked(scope, counted, marked)
        finally:
            self._note(scope, seen, time.perf_counter() - started)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._own_machine_only:
                require_own_machine(HTTPConnection(scope))
        except ApiError as error:
            scope["state"]["error_code"] = error.code
            await error.answer()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _note(self, scope: Scope, seen: _Seen, seconds: float) -> None:
        route = scope["state"].get("route") or getattr(scope.get("route"), "path", None) or "other"
        status = seen.status or 500
        self._metrics.count(route, status, seconds)
        line = {
            "method": scope["method"] if scope["method"] in _METHODS else "other",
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "bytes": seen.bytes_in,
            "id": seen.request_id,
        }
        if code := scope["state"].get("error_code"):
            line["error"] = code
        write_line(line)


def write_line(line: Mapping[str, Any]) -> None:
    """One event, with its time."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    LOG.info(json.dumps({"time": now, **line}))
