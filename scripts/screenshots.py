"""Pictures of the page of `amsdf serve`: `python scripts/screenshots.py OUT [DETECTOR …]`

Each state of the page at the width of a desk and of a phone, in Chromium without a window. With
detectors the page also shows them beside the starter. Recordings are those of the demo.
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import amsdf
from amsdf.contracts import SAMPLE_RATE
from amsdf.serving.http.app import build_app
from amsdf.serving.http.settings import ServeSettings

CHROMIUM = "/usr/bin/chromium"
#: Of a picture: it is a third as large.
COLOURS = 128
WIDTHS = {"desktop": 1280, "phone": 390}
SAMPLES = Path(amsdf.__file__).parent / "samples" / "one-voice" / "audio"
REALS, FAKES = ("03", "05", "07", "13"), ("02_hifigan", "04_hifigan", "06_hifigan", "08_hifigan")
Scheme = Literal["light", "dark"]
#: Name of a picture -> the clips that are joined for it.
RECORDINGS = {
    "real": REALS,
    "fake": FAKES,
    "cannot-tell": (*REALS[:2], *FAKES[:3], *REALS[2:]),
}


@contextmanager
def served(settings: ServeSettings) -> Iterator[str]:
    """The address of a service in a thread of its own."""
    app = build_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and app.state.service.detectors.ready):
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


def join(out: Path, name: str, clips: Sequence[str]) -> Path:
    """A recording that consists of demo clips."""
    path = out / f"{name}.flac"
    sounds = [soundfile.read(SAMPLES / f"ljspeech_{clip}.flac")[0] for clip in clips]
    soundfile.write(path, np.concatenate(sounds), SAMPLE_RATE)
    return path


def judge(page: Page, recording: Path) -> None:
    """Give a recording to the page, and wait until everything is drawn."""
    page.set_input_files("#file", recording)
    page.wait_for_selector(".card")
    page.wait_for_selector(".wave svg")
    page.wait_for_timeout(500)


def explain(page: Page, recording: Path) -> None:
    """As `judge`, with the evidence."""
    judge(page, recording)
    page.click(".explain")
    page.wait_for_selector(".group")


def compare(page: Page, recording: Path) -> None:
    """As `judge`, by all detectors, while a flagged part plays."""
    for box in page.locator("#detectors input").all():
        box.check()
    judge(page, recording)
    page.locator(".flag").first.click()
    page.wait_for_timeout(2500)
    page.click(".play")


def fail(page: Page, recording: Path) -> None:
    """Give the page what is no recording."""
    content = b"PK\x03\x04" + bytes(200)
    page.set_input_files("#file", {"name": "a.zip", "mimeType": "audio/wav", "buffer": content})
    page.wait_for_selector("#error p")


def draw(browser: Browser, address: str, out: Path, detectors: int) -> None:
    """All pictures."""
    recordings = {name: join(out, name, clips) for name, clips in RECORDINGS.items()}
    states: dict[str, tuple[Callable[[Page, Path], None] | None, str, Scheme]] = {
        "empty": (None, "real", "light"),
        **{name: (judge, name, "light") for name in RECORDINGS},
        "explained": (explain, "fake", "light"),
        "dark": (judge, "cannot-tell", "dark"),
        "error": (fail, "real", "light"),
    }
    if detectors > 1:
        states["detectors"] = (compare, "cannot-tell", "light")
    for width_name, width in WIDTHS.items():
        for name, (act, recording, scheme) in states.items():
            is_phone = width_name == "phone"
            context = browser.new_context(
                viewport={"width": width, "height": 844},
                color_scheme=scheme,
                has_touch=is_phone,
                is_mobile=is_phone,
            )
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("#tested p", state="attached")
            if act:
                act(page, recordings[recording])
            page.mouse.move(0, 0)
            picture = Image.open(BytesIO(page.screenshot(full_page=True)))
            picture.quantize(COLOURS).save(out / f"{name}-{width_name}.png", optimize=True)
            context.close()


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("detectors", nargs="*")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    settings = ServeSettings(detectors=("starter", *args.detectors))
    with served(settings) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        draw(browser, address, args.out, len(settings.detectors))
        browser.close()


if __name__ == "__main__":
    main()
