"""A recording on its way in: spooled without a name, so that nothing of it can stay behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile

from starlette.requests import ClientDisconnect, Request

from amsdf.audio import Source
from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.recordings.multipart import FilePart, boundary_of
from amsdf.serving.http.settings import ServeSettings

#: A smaller recording stays in memory.
IN_MEMORY = 1 << 20
#: What a body that is a recording may be called.
_RAW = ("audio/", "video/", "application/octet-stream", "application/ogg")
_OPEN_FILES = Path("/proc/self/fd")

Spool = SpooledTemporaryFile[bytes]


class Uploads:
    """Uploads that are open at the same time, and their limits."""

    def __init__(self, settings: ServeSettings):
        self._settings = settings
        #: How many are open.
        self.open = 0

    async def receive(self, request: Request) -> Spool:
        """The recording in the body of a request; whoever gets it closes it."""
        check_length(request, self._settings.max_upload_bytes)
        part = _part_of(request)
        with self._slot(), ExitStack() as refused:
            spool: Spool = refused.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
            await self._fill(spool, request, part)
            if not spool.tell():
                raise ApiError(422, "empty", "the body is empty; send a recording in it")
            refused.pop_all()
        return spool

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self.open >= self._settings.max_uploads:
            raise ApiError(
                429, "too_many_uploads", "too many uploads are under way; try again soon", 5
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def _fill(self, spool: Spool, request: Request, part: FilePart | None) -> None:
        try:
            async with asyncio.timeout(self._settings.upload_seconds):
                async for chunk in self._chunks(request):
                    for content in [chunk] if part is None else part.feed(chunk):
                        spool.write(content)
        except TimeoutError:
            raise ApiError(408, "too_slow", "the upload took too long") from None
        except ClientDisconnect:
            raise ApiError(499, "client_left", "the client has left") from None
        if part is not None:
            part.finish()

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, as long as it keeps coming and is not too long."""
        stream, size = request.stream(), 0
        while True:
            async with asyncio.timeout(self._settings.idle_seconds):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > self._settings.max_upload_bytes:
                raise too_large(self._settings.max_upload_bytes)
            yield chunk


def check_length(request: Request, most: int) -> None:
    """Refuse a body that announces too much before any of it is read."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most:
        raise too_large(most)


def too_large(most: int) -> ApiError:
    """The refusal of a body."""
    return ApiError(413, "too_large", f"recordings up to {most / 1e6:g} MB are judged here")


def _part_of(request: Request) -> FilePart | None:
    """Who finds the recording in a form; None where the body is the recording."""
    kind = request.headers.get("content-type", "application/octet-stream")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ApiError(415, "wrong_content_type", "send the recording without content-encoding")
    if kind.lower().startswith("multipart/form-data"):
        return FilePart(boundary_of(kind))
    if not kind.lower().startswith(_RAW):
        raise ApiError(
            415,
            "wrong_content_type",
            "send the recording as the field `file` of multipart/form-data, or as the body with "
            "content-type application/octet-stream",
        )
    return None


def source_of(spool: Spool) -> Source:
    """What a judge reads: a file that has no name is entered through its open handle."""
    spool.flush()
    spool.seek(0)
    if spool.name is None:  # it is in memory
        return spool.read()
    place = _OPEN_FILES / str(spool.fileno())
    return place if place.is_file() else spool.read()
