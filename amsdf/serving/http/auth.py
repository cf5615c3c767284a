"""Who may ask: who knows the token, or, where there is none, programs and pages of this machine.

Without a token a page of any site could post to this machine through its visitor's browser, or
read answers after its name is made to point here (DNS rebinding). So the Host header must name
this machine, and an Origin header must be that of the service's own page.
"""

import hmac

from starlette.requests import HTTPConnection

from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.settings import is_loopback

#: The subprotocol of a WebSocket that is followed by the token: a page cannot set headers there.
SUBPROTOCOL = "bearer"


def require_token(connection: HTTPConnection, token: str | None) -> None:
    """Refuse a request without the token in its Authorization header, or among its subprotocols."""
    if token is None:
        return
    kind, _, given = connection.headers.get("authorization", "").partition(" ")
    if not given and connection.scope["type"] == "websocket":
        kind, _, given = connection.headers.get("sec-websocket-protocol", "").partition(",")
    if kind.strip().lower() != SUBPROTOCOL or not is_token(given.strip(), token):
        raise ApiError(401, "unauthorized", "send the header Authorization: Bearer and the token")


def is_token(given: str, token: str) -> bool:
    """Whether they are the same, in a time that does not say how much of it is."""
    return hmac.compare_digest(given.encode(), token.encode())


def require_own_machine(connection: HTTPConnection) -> None:
    """Refuse a request under a foreign name, or from a page of another site."""
    host = connection.headers.get("host", "")
    if not is_loopback(host_name(host)):
        raise ApiError(403, "wrong_host", "this service answers on this machine's own name only")
    origin = connection.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise ApiError(403, "cross_site", "pages of other sites may not ask this service")


def host_name(host: str) -> str:
    """A Host header without its port."""
    return host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
