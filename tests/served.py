"""A service in this process, asked over real connections."""

import http.client
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from fastapi import FastAPI
from toy_sounds import speech

from amsdf.contracts import SAMPLE_RATE
from amsdf.serving.http.app import build_app
from amsdf.serving.http.connections.server import build_server
from amsdf.serving.http.service import Service
from amsdf.serving.http.settings import ServeSettings

#: Seconds that a test waits for what comes at once on a quiet machine.
LONG = 60.0
RAW = {"Content-Type": "application/octet-stream"}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of an error, which must have the one shape."""
        (error,) = self.json.values()
        assert sorted(error) == ["code", "message"] and "\n" not in error["message"], self.body
        assert "/proc" not in error["message"] and "/tmp" not in error["message"]
        return error["code"]


@dataclass
class Served:
    """A running service."""

    port: int
    service: Service
    app: FastAPI
    #: Its access log, parsed.
    log: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        try:
            connection.request(method, path, body, headers or {})
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    def judge(self, content: bytes, query: str = "", **headers: str) -> Answer:
        """Post a recording as the body."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.ask("POST", f"/v1/judge{query}", content, {**RAW, **given})

    def connect(self, start: bytes = b"") -> socket.socket:
        """An open connection on which so much was sent."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=LONG)
        opened.sendall(start)
        return opened

    def head(self, length: int, more: str = "") -> bytes:
        """The head of a request that judges a body of so many bytes."""
        return (
            f"POST /v1/judge HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n{more}\r\n"
        ).encode()


def answer_of(opened: socket.socket) -> Answer:
    """What comes back on an open connection."""
    got = http.client.HTTPResponse(opened)
    got.begin()
    return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())


def until(condition: Any) -> None:
    """Wait for something that comes soon."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


class _Lines(logging.Handler):
    def __init__(self, log: list[dict[str, Any]]):
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        self.log.append(json.loads(record.getMessage()))


@contextmanager
def serving(detector: Path, **changes: Any) -> Iterator[Served]:
    """A service on a free port until the block ends."""
    settings = replace(ServeSettings(detectors=(str(detector),), device="cpu"), **changes)
    app = build_app(settings)
    server = build_server(app)
    opened = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    served = Served(opened.getsockname()[1], app.state.service, app)
    lines, access = _Lines(served.log), logging.getLogger("amsdf.serving.access")
    level = access.level
    access.setLevel(logging.INFO)
    access.addHandler(lines)
    thread.start()
    try:
        until(lambda: server.started and served.service.detectors.ready)
        yield served
    finally:
        server.should_exit = True
        thread.join(LONG)
        access.removeHandler(lines)
        access.setLevel(level)
        assert not thread.is_alive()


def wav(samples: np.ndarray | None = None, **how: Any) -> bytes:
    """A recording as bytes; two seconds of speech unless given."""
    file = io.BytesIO()
    sound = speech(2.0) if samples is None else samples
    soundfile.write(file, sound, SAMPLE_RATE, **{"format": "WAV", "subtype": "FLOAT", **how})
    return file.getvalue()


def form(content: bytes, name: str = "call.wav", field: str = "file", mark: str = "xYz") -> bytes:
    """A form with a recording."""
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{mark}--\r\n".encode()


FORM = {"Content-Type": "multipart/form-data; boundary=xYz"}
