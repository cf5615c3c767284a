"""`amsdf serve`: the page and the HTTP API, until it is stopped."""

import logging
import os
import signal
import socket
import sys
from argparse import Namespace
from errno import EADDRINUSE
from pathlib import Path

try:
    from amsdf.serving.http.app import build_app
    from amsdf.serving.http.connections.server import build_server
    from amsdf.serving.http.settings import ServeSettings, with_limits
except ModuleNotFoundError as error:
    if error.name not in ("fastapi", "uvicorn"):
        raise
    raise ValueError(f"needs the package {error.name}; pip install 'amsdf[serve]'") from None


def run(args: Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; what is being judged then is answered."""
    settings = ServeSettings(
        detectors=tuple(args.detector or ("starter",)),
        host=args.host,
        port=args.port,
        token=_token(args.token_file),
        device=args.device,
        trust_remote_code=args.trust_remote_code,
    )
    app = build_app(with_limits(settings, args.limit))
    opened = _listen(settings)
    _log_to_standard_error()
    server = build_server(app)
    # uvicorn handles the signal while it runs, and raises it again when it has stopped.
    signal.signal(signal.SIGTERM, lambda *_: app.state.service.stop())
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"http://{host}:{opened.getsockname()[1]}", flush=True)

    server.run(sockets=[opened])
    if failure := app.state.service.failure:
        raise failure
    return 0


def _token(file: str | None) -> str | None:
    if file is None:
        return os.environ.get("AMSDF_SERVE_TOKEN") or None
    return Path(file).read_text(encoding="utf-8").strip()


def _listen(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        place = f"--host {settings.host} --port {settings.port}"
        remedy = "; another --port may be free" if error.errno == EADDRINUSE else ""
        raise ValueError(f"{place}: {error.strerror}{remedy}") from None


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name, level in (("amsdf.serving", logging.INFO), ("uvicorn", logging.ERROR)):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
