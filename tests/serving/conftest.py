"""The page, opened in Chromium, from a service that runs as long as the tests."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from browsing import CHROMIUM, LONG, REAL, SAMPLES, STARTER
from command_line import SMALL, toy_detector


@pytest.fixture(scope="session")
def joined(tmp_path_factory) -> Path:
    """Six seconds of real speech, nine of fake speech, three of real speech."""
    fakes = [SAMPLES / f"ljspeech_{number}_hifigan.flac" for number in ("02", "04", "06")]
    clips = [REAL, SAMPLES / "ljspeech_05.flac", *fakes, SAMPLES / "ljspeech_07.flac"]
    path = tmp_path_factory.mktemp("joined") / "joined.wav"
    soundfile.write(path, np.concatenate([soundfile.read(clip)[0] for clip in clips]), 16_000)
    return path


@pytest.fixture(scope="module")
def chromium(joined: Path) -> Iterator[Any]:
    """A browser whose microphone hears the joined recording.

    It ends with its module: as long as it runs, nothing else of this process can use asyncio.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pip install -e '.[dev]' brings it"
    )
    playwright.expect.set_options(timeout=LONG)
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    fake = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    arguments = ["--no-sandbox", *fake, f"--use-file-for-fake-audio-capture={joined}"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    """A service with the starter and a toy that is not calibrated."""
    pytest.importorskip("fastapi", reason="pip install 'amsdf[serve]' brings it")
    from served import serving

    toy = toy_detector(tmp_path_factory.mktemp("toys") / "toy", **SMALL)
    with serving(STARTER, detectors=("starter", str(toy))) as service:
        yield f"http://127.0.0.1:{service.port}/"


@pytest.fixture
def page(chromium, address: str) -> Iterator[Any]:
    """The page, opened; nothing may go elsewhere, no script may fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, base_url=address)
    context.grant_permissions(["microphone"])
    page = context.new_page()
    found: list[str] = []
    page.on("request", lambda request: found.append(f"asks {request.url}"))
    page.on("console", lambda message: found.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"fails: {error}"))
    page.goto("/")
    yield page
    context.close()
    ours = re.compile(rf"asks (blob:)?{re.escape(address)}|error: Failed to load resource")
    assert not [each for each in found if not ours.match(each)]
