"""What the routes of one service share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from amsdf.serving.http.connections.metrics import Metrics
from amsdf.serving.http.detectors import Detectors
from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.recordings.batching import SharedScorer
from amsdf.serving.http.recordings.judging import Judging
from amsdf.serving.http.recordings.uploads import Uploads
from amsdf.serving.http.settings import ServeSettings


class Service:
    """Settings, detectors, uploads, threads and counts."""

    def __init__(self, settings: ServeSettings):
        self.settings = settings
        self.scorer = SharedScorer()
        self.detectors = Detectors(settings, self.scorer.score)
        self.uploads = Uploads(settings)
        self.judging = Judging(settings)
        self.metrics = Metrics()
        #: Live streams that are open.
        self.live = 0
        #: Why the detectors could not be opened.
        self.failure: ValueError | OSError | None = None
        #: Ends the server; whoever runs one sets it.
        self.stop: Callable[[], None] = lambda: None

    @contextmanager
    def live_stream(self) -> Iterator[None]:
        """One live stream, among as many as may be."""
        if self.live >= self.settings.max_live:
            raise ApiError(429, "too_many_streams", "too many live streams; try again soon", 30)
        self.live += 1
        try:
            yield
        finally:
            self.live -= 1

    def close(self) -> None:
        """Wait for what is judged, and take no more."""
        self.judging.close()
        self.scorer.close()


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request, or a WebSocket, has come to."""
    app: FastAPI = connection.app
    service = app.state.service
    assert isinstance(service, Service)
    return service
