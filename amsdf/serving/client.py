"""A client of `amsdf serve`. It needs Python alone, so this file can be copied anywhere.

verdict = Client("http://127.0.0.1:8000").judge("call.m4a")
print(verdict.headline, verdict.probability)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen


@dataclass(frozen=True)
class ServedVerdict:
    """What the service says of a recording; `details` is its whole answer."""

    decision: str
    headline: str
    probability: float | None
    seconds: float
    lines: list[str]
    details: dict[str, Any]


class ServiceError(Exception):
    """A refusal; `retry_after` is in seconds, None where trying again does not help."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None):
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after


@dataclass(frozen=True)
class Client:
    """A service at an address, asked with a token where it wants one."""

    address: str = "http://127.0.0.1:8000"
    token: str | None = None
    timeout: float = 900.0

    def judge(self, recording: str | Path | bytes, detector: str | None = None) -> ServedVerdict:
        """Judge a file, which is sent while it is read, or the bytes of one."""
        query = "" if detector is None else f"?detector={quote(detector, safe='')}"
        if isinstance(recording, bytes):
            found = self._ask(f"/v1/judge{query}", recording, len(recording))
        else:
            with Path(recording).open("rb") as file:
                size = Path(recording).stat().st_size
                found = self._ask(f"/v1/judge{query}", file, size)
        named = {name: found[name] for name in ServedVerdict.__annotations__ if name in found}
        return ServedVerdict(**named, details=found)

    def detectors(self) -> list[dict[str, Any]]:
        """The detectors that may be asked."""
        return self._ask("/v1/detectors")

    def _ask(self, path: str, body: bytes | BinaryIO | None = None, size: int = 0) -> Any:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        try:
            with urlopen(Request(self.address + path, body, headers), timeout=self.timeout) as got:
                return json.load(got)
        except HTTPError as error:
            told, wait = json.load(error)["error"], error.headers.get("Retry-After")
            retry_after = None if wait is None else int(wait)
            raise ServiceError(error.code, told["code"], told["message"], retry_after) from None
