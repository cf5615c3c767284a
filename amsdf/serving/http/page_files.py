"""The files of the page, each at its own address: no path of a request is looked up on the disk."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.requests import Request

#: The page, without anything from elsewhere.
PAGE = Path(__file__).parents[1] / "page"
START = "index.html"


def serve_page(app: FastAPI) -> None:
    """Offer every file of the page, and its start at `/`."""
    for file in sorted(PAGE.rglob("*.*")):
        if file.suffix not in (".py", ".pyc"):
            _offer(app, file)


def _offer(app: FastAPI, file: Path) -> None:
    async def give(request: Request) -> FileResponse:
        request.state.route = "page"
        return FileResponse(file)

    address = file.relative_to(PAGE).as_posix()
    for place in (address, "") if address == START else (address,):
        app.add_route(f"/{place}", give, methods=["GET"], include_in_schema=False)
