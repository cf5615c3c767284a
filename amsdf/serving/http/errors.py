"""Every error as `{"error": {"code": …, "message": …}}`: a word for programs, a line for people."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class ApiError(Exception):
    """An answer that is not the one asked for."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        #: Seconds after which it may be tried again.
        self.retry_after = retry_after

    def answer(self) -> JSONResponse:
        """What the client is sent."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(error_body(self.code, self.message), self.status, headers)


def error_body(code: str, message: str) -> dict[str, Any]:
    """The one shape of an error."""
    return {"error": {"code": code, "message": message}}


#: What the web framework refuses by itself.
_OTHERS = {
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not understand this method"),
    500: ("internal", "the service has failed at this request; its log says more"),
}


def answer_errors(app: FastAPI) -> None:
    """Let every error of an app have the one shape."""
    app.add_exception_handler(ApiError, _of_ours)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(Exception, _unexpected)


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    request.state.error_code = error.code
    return error.answer()


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code, message = _OTHERS.get(error.status_code, ("refused", "the request cannot be answered"))
    request.state.error_code = code
    headers = dict(error.headers or {})
    return JSONResponse(error_body(code, message), error.status_code, headers)


async def _of_parameters(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()[0]
    place = ".".join(str(part) for part in found["loc"])
    request.state.error_code = "bad_request"
    return JSONResponse(error_body("bad_request", f"{place}: {found['msg']}"), 422)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    request.state.error_code = "internal"
    return JSONResponse(error_body(*_OTHERS[500]), 500)
