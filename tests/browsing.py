"""A page in a browser: what it is given, and what is read of it."""

from pathlib import Path
from typing import Any

import amsdf

CHROMIUM = Path("/usr/bin/chromium")
SAMPLES = Path(amsdf.__file__).parent / "samples" / "one-voice" / "audio"
REAL, FAKE = SAMPLES / "ljspeech_03.flac", SAMPLES / "ljspeech_02_hifigan.flac"
STARTER = Path("starter")
#: Milliseconds that a test waits for what comes at once on a quiet machine.
LONG = 30_000


def give(page: Any, file: Path | dict[str, Any]) -> None:
    """Choose a file: a path, or name, type and content."""
    page.set_input_files("#file", file)


def named(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "audio/wav", "buffer": content}


def seconds_at(page: Any) -> float:
    return float(page.locator(".wave").get_attribute("aria-valuenow"))
