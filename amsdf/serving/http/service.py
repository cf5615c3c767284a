"""What the routes of one service share."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from amsdf.serving.http.batching import SharedScorer
from amsdf.serving.http.detectors import Detectors
from amsdf.serving.http.judging import Judging
from amsdf.serving.http.metrics import Metrics
from amsdf.serving.http.settings import ServeSettings
from amsdf.serving.http.uploads import Uploads


class Service:
    """Settings, detectors, uploads, threads and counts."""

    def __init__(self, settings: ServeSettings):
        self.settings = settings
        self.scorer = SharedScorer()
        self.detectors = Detectors(settings, self.scorer.score)
        self.uploads = Uploads(settings)
        self.judging = Judging(settings)
        self.metrics = Metrics()
        #: Why the detectors could not be opened.
        self.failure: ValueError | OSError | None = None
        #: Ends the server; whoever runs one sets it.
        self.stop: Callable[[], None] = lambda: None

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
