"""The web server around the app: uvicorn, whose connections do not wait for ever."""

import json
from asyncio import TimerHandle, Transport

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from amsdf.serving.http.connections.access_log import write_line
from amsdf.serving.http.errors import error_body
from amsdf.serving.http.service import Service

#: Seconds that running requests have when the service is stopped.
LAST_SECONDS = 30
#: Bytes of one message of a WebSocket: 16 s of sound at 16 kHz.
MOST_IN_MESSAGE = 1 << 20


class Connection(H11Protocol):
    """One connection, closed when no request begins on it, or an answered one does not end.

    uvicorn closes a connection only between two requests.
    """

    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to watch."""
        super().connection_made(transport)
        service: Service = self.config.app.state.service  # type: ignore[union-attr]
        if len(self.connections) > service.settings.max_connections:
            transport.close()
            return
        self._look(service.settings.idle_seconds, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        super().connection_lost(exc)
        self._unwatch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """A WebSocket may stay."""
        self._unwatch()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so in the shape of all errors, and logged once."""
        content = json.dumps(error_body("bad_http", "this is not a valid HTTP request")).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            "connection": "close",
        }
        write_line({"method": "other", "route": "other", "status": 400, "error": "bad_http"})
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=400, headers=list(headers.items())),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _look(self, seconds: float, before: tuple[object] | None) -> None:
        """Close it if nothing has begun since the last look."""
        waits = self.cycle is None or self.cycle.response_complete
        now = (self.cycle,) if waits else None
        if now and now == before:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(seconds, self._look, seconds, now)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def build_server(app: FastAPI) -> uvicorn.Server:
    """A server for an app of `build_app`; its `run` takes open sockets."""
    config = uvicorn.Config(
        app,
        http=Connection,
        log_config=None,
        timeout_graceful_shutdown=LAST_SECONDS,
        ws_max_size=MOST_IN_MESSAGE,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    service: Service = app.state.service
    service.stop = stop
    return server
