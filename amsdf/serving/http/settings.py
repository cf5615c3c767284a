"""What a service offers, to whom, and how much of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from ipaddress import ip_address

#: What stands as it is in headers and in the subprotocol of a WebSocket.
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,}")


@dataclass(frozen=True)
class ServeSettings:
    """Who is served, by which detectors, and the limits."""

    #: Names or paths, as `amsdf.load` takes them; the first one answers unless another is asked.
    detectors: tuple[str, ...] = ("starter",)
    host: str = "127.0.0.1"
    port: int = 8000
    #: Who knows it may ask. Without one only this machine is served.
    token: str | None = None
    device: str | None = None
    trust_remote_code: bool = False
    #: Of one recording.
    max_upload_bytes: int = 100_000_000
    max_seconds: float = 3600.0
    #: From the end of the upload to the answer.
    request_seconds: float = 900.0
    #: For the whole upload, and for the next bytes of a request.
    upload_seconds: float = 300.0
    idle_seconds: float = 10.0
    #: Connections, and uploads, that are open at the same time.
    max_connections: int = 256
    max_uploads: int = 64
    #: Recordings that are judged at the same time, and that wait.
    at_once: int = 4
    max_queue: int = 16
    #: Live streams at the same time.
    max_live: int = 4

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(
                f"--host {self.host}: others can reach it, so it needs a token; give "
                "--token-file FILE or set AMSDF_SERVE_TOKEN, or leave out --host"
            )
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ValueError(
                "the token must have at least 16 letters, digits and . _ ~ - and nothing else, "
                "such as those of: openssl rand -hex 32"
            )


#: What `--limit` may change.
LIMITS = (
    *("max_upload_bytes", "max_seconds", "request_seconds", "upload_seconds", "idle_seconds"),
    *("max_connections", "max_uploads", "at_once", "max_queue", "max_live"),
)


def with_limits(settings: ServeSettings, words: Sequence[str]) -> ServeSettings:
    """The settings with some limits changed, each given as `NAME=NUMBER`."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in LIMITS:
            near = get_close_matches(name, LIMITS, 1)
            hint = f"do you mean {near[0]}?" if near else f"there are: {', '.join(LIMITS)}"
            raise ValueError(f"--limit {word}: there is no limit {name!r}; {hint}")
        kind = type(getattr(settings, name))
        try:
            found[name] = kind(value)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            raise ValueError(f"--limit {word}: give {number}, as in {name}=10") from None
        if not 0 < found[name] < float("inf") and name not in ("max_queue", "max_live"):
            raise ValueError(f"--limit {word}: it must be above 0")
    return replace(settings, **found)  # type: ignore[arg-type]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches such an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
