"""One line of JSON a request: when, what, how it ended. Never content, names of files or tokens."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

LOG = logging.getLogger("amsdf.serving.access")


def write_line(line: Mapping[str, Any]) -> None:
    """One event, with its time."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    LOG.info(json.dumps({"time": now, **line}))
