"""The addresses of the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.requests import Request

from amsdf.serving.http.auth import require_token
from amsdf.serving.http.connections.metrics import CONTENT_TYPE
from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.schema import JUDGE_ANSWERS, JUDGE_BODY, DetectorAnswer, refusals
from amsdf.serving.http.service import service_of


def _known(request: Request) -> None:
    require_token(request, service_of(request).settings.token)


open_routes = APIRouter()
routes = APIRouter(dependencies=[Depends(_known)])


@routes.post(
    "/v1/judge",
    summary="Judge one recording",
    responses=JUDGE_ANSWERS,
    openapi_extra=JUDGE_BODY,
)
async def judge(
    request: Request,
    detector: Annotated[str | None, Query(max_length=200)] = None,
    explain: bool = False,
) -> JSONResponse:
    """A recording in, its verdict out; `explain` adds the evidence and takes longer."""
    service = service_of(request)
    chosen = service.detectors.get(detector)
    service.judging.require_room()
    spool = await service.uploads.receive(request)
    answer = await service.judging.judge(chosen, spool, request, explain)
    service.metrics.heard(answer.verdict.seconds)
    return JSONResponse(answer.to_dict())


@routes.get("/v1/detectors", summary="Which detectors there are", responses=refusals(401, 403, 503))
async def detectors(request: Request) -> list[DetectorAnswer]:
    """Their names and what is known of them."""
    return [DetectorAnswer(**each) for each in service_of(request).detectors.describe()]


@routes.get("/metrics", summary="Counts for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Requests, latency, queue, sound judged."""
    service = service_of(request)
    gauges = {
        "recordings_pending": ("Recordings that are judged or wait.", service.judging.pending),
        "uploads_open": ("Uploads under way.", service.uploads.open),
        "live_streams_open": ("Live streams that are open.", service.live),
    }
    return PlainTextResponse(service.metrics.text(gauges), media_type=CONTENT_TYPE)


@open_routes.get("/healthz", summary="Whether the process is up")
async def healthz() -> dict[str, str]:
    """It is, or nobody would answer."""
    return {"status": "ok"}


@open_routes.get("/readyz", summary="Whether the detectors are open", responses=refusals(503))
async def readyz(request: Request) -> dict[str, str]:
    """They are, or this is a 503."""
    if not service_of(request).detectors.ready:
        raise ApiError(503, "not_ready", "the detectors are being opened", retry_after=2)
    return {"status": "ready"}
