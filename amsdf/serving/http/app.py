"""The whole service: routes, page, errors, what every request passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from amsdf import __version__
from amsdf.serving.http.connections.entrance import Entrance
from amsdf.serving.http.errors import answer_errors
from amsdf.serving.http.page_files import serve_page
from amsdf.serving.http.routes import open_routes, routes
from amsdf.serving.http.service import Service
from amsdf.serving.http.settings import ServeSettings
from amsdf.serving.live.socket import live_routes


def build_app(settings: ServeSettings) -> FastAPI:
    """The service as an ASGI app; detectors are opened when it starts.

    Its parts are at `app.state.service`.
    """
    app = FastAPI(
        title="AMSDF",
        version=__version__,
        description="Is the speech in a recording real? Send it, and read the verdict.",
        lifespan=_lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service = Service(settings)
    answer_errors(app)
    app.include_router(open_routes)
    app.include_router(routes)
    app.include_router(live_routes)
    serve_page(app)
    app.add_middleware(Entrance, metrics=service.metrics, token=settings.token)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    opening = asyncio.create_task(_open(service))
    yield
    opening.cancel()
    await asyncio.to_thread(service.close)


async def _open(service: Service) -> None:
    """Open the detectors while `healthz` answers already; end the server where one cannot be."""
    try:
        await asyncio.to_thread(service.detectors.open)
    except (ValueError, OSError) as error:
        service.failure = error
        service.stop()
