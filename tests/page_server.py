"""A service in a thread of its own, at a free port of this machine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from amsdf.serving.http.app import build_app
from amsdf.serving.http.settings import ServeSettings


@contextmanager
def served(settings: ServeSettings) -> Iterator[str]:
    """The address of a service, which ends with the block."""
    app = build_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="auto"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and app.state.service.detectors.ready):
        assert thread.is_alive(), "the service has not started"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(30)
