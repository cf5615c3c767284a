"""The page as people use it: a browser without a window, the real service, real recordings."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import SMALL, toy_detector

import amsdf

pytest.importorskip("fastapi", reason="pip install 'amsdf[serve]' brings it")
pytest.importorskip("uvicorn", reason="pip install 'amsdf[serve]' brings it")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]' brings it")

from served import serving  # noqa: E402

expect = playwright.expect
expect.set_options(timeout=30_000)

CHROMIUM = Path("/usr/bin/chromium")
SAMPLES = Path(amsdf.__file__).parent / "samples" / "one-voice" / "audio"
REAL, FAKE = SAMPLES / "ljspeech_03.flac", SAMPLES / "ljspeech_02_hifigan.flac"
STARTER = Path("starter")
TOKEN = "a-token-of-many-letters"


@pytest.fixture(scope="module")
def joined(tmp_path_factory) -> Path:
    """Six seconds of real speech, nine of fake speech, three of real speech."""
    fakes = [SAMPLES / f"ljspeech_{number}_hifigan.flac" for number in ("02", "04", "06")]
    clips = [REAL, SAMPLES / "ljspeech_05.flac", *fakes, SAMPLES / "ljspeech_07.flac"]
    path = tmp_path_factory.mktemp("joined") / "joined.wav"
    soundfile.write(path, np.concatenate([soundfile.read(clip)[0] for clip in clips]), 16_000)
    return path


@pytest.fixture(scope="module")
def chromium(joined: Path) -> Iterator[Any]:
    """A browser whose microphone hears the joined recording."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    fake = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    arguments = ["--no-sandbox", *fake, f"--use-file-for-fake-audio-capture={joined}"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A service with the starter and a toy that is not calibrated."""
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


def give(page: Any, file: Path | dict[str, Any]) -> None:
    """Choose a file: a path, or name, type and content."""
    page.set_input_files("#file", file)


def named(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "audio/wav", "buffer": content}


def seconds_at(page: Any) -> float:
    return float(page.locator(".wave").get_attribute("aria-valuenow"))


def test_a_recording_is_judged_in_words(page) -> None:
    verdict = amsdf.load("starter")(REAL)
    give(page, REAL)
    card = page.locator(".card")
    expect(card).to_contain_text("Probably real speech.")
    expect(card).to_contain_text(verdict.reason)
    expect(card).to_contain_text("This is an estimate, not a proof.")
    expect(page.locator("#said")).to_contain_text("Probably real speech.")
    expect(page.locator(".wave svg")).to_be_attached()
    expect(page.locator(".flag")).to_have_count(0)

    page.get_by_text("How was this detector tested?").click()
    expect(page.locator("#tested")).to_contain_text("1053 real and 1845 fake clips")
    page.get_by_text("What does this mean?").click()
    expect(page.locator("#meaning")).to_contain_text("not evidence")


def test_a_flagged_span_plays_by_mouse_and_by_key(page, joined: Path) -> None:
    (span,) = amsdf.load("starter")(joined).flagged
    give(page, joined)
    flag = page.get_by_role("button", name="sounds machine-made from")
    flag.click()
    expect(page.locator(".play")).to_have_text("Pause")
    assert span.start <= seconds_at(page) < span.end
    page.locator(".play").click()
    expect(page.locator(".play")).to_have_text("Play")

    page.locator(".wave").press("End")
    assert seconds_at(page) == pytest.approx(18, abs=0.2)
    flag.press("Enter")
    expect(page.locator(".play")).to_have_text("Pause")
    assert span.start <= seconds_at(page) < span.end
    heard = page.evaluate("() => document.querySelector('.now').textContent")
    page.wait_for_function("(was) => document.querySelector('.now').textContent !== was", arg=heard)


def test_detectors_stand_side_by_side(page) -> None:
    page.get_by_label("toy").check()
    give(page, FAKE)
    cards = page.locator(".card")
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text("Probably fake.")
    expect(cards.nth(1)).to_contain_text("Cannot tell.")
    expect(cards.nth(1)).to_contain_text("not calibrated")
    assert cards.nth(0).bounding_box()["y"] == cards.nth(1).bounding_box()["y"]
    expect(page.locator(".lane-name")).to_have_text(["starter", "toy"])


def test_what_moves_the_score_is_shown_when_asked_for(page) -> None:
    give(page, FAKE)
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".group h4")).to_have_text(["Views", "Frequencies", "Time"])
    rows = page.locator(".group li")
    expect(rows).to_have_count(2 + 6 + 10)
    for view, side in (("text", "real"), ("audio", "fake")):  # as `score --explain` has it
        row = rows.filter(has_text=view)
        expect(row.locator(".moved")).to_have_text(re.compile(rf"{side} \d"))
        expect(row.locator("i")).to_have_class(side)


def test_the_keyboard_is_enough(page, joined: Path) -> None:
    page.on("filechooser", lambda chooser: chooser.set_files(joined))
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    press_until(page, "#theme")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    press_until(page, "#choose")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_be_visible()

    press_until(page, ".wave")
    page.keyboard.press("ArrowRight")
    assert seconds_at(page) == 1
    page.keyboard.press(" ")
    expect(page.locator(".play")).to_have_text("Pause")
    press_until(page, ".flag")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def press_until(page: Any, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"Tab does not lead to {selector}")


def test_the_microphone_is_judged(page) -> None:
    page.get_by_role("button", name="Record").click()
    recorder = page.locator("#recorder")
    expect(recorder.locator(".time")).to_have_text(re.compile(r"0:0[2-9]|0:[1-5]\d"))
    assert int(recorder.locator(".meter").get_attribute("aria-valuenow")) > 0
    page.get_by_role("button", name="Stop and judge").click()
    expect(page.locator(".card .reason")).to_contain_text("speech")
    expect(page.locator("#player .whole")).to_have_text(re.compile(r"0:0[2-9]|0:[1-5]\d"))
    expect(page.locator("#result-title")).to_contain_text("Your recording.wav")
    expect(recorder).to_be_hidden()


def test_live_shows_the_rolling_verdict(page) -> None:
    """Against the contract of the WebSocket; its server has tests of its own."""
    heard: list[str | bytes] = []

    def answer(message: str | bytes) -> None:
        heard.append(message)
        window = {"start": 0.0, "end": 4.0, "score": -2.0, "probability": 0.05, "quiet": False}
        news = {"seconds": 4.0, "probability": 0.05, "decision": "fake", "alarm": True}
        news |= {"headline": "Probably fake.", "window": window}
        full = {"error": {"code": "busy", "message": "too many listen already"}}
        socket[0].send(json.dumps(full if len(heard) == 30 else news))

    socket: list[Any] = []
    page.route_web_socket(
        "**/v1/live?detector=starter",
        lambda opened: (socket.append(opened), opened.on_message(answer)),
    )
    page.get_by_role("button", name="Listen live").click()
    panel = page.locator("#rolling")
    expect(panel.locator(".headline")).to_have_text("Probably fake.")
    expect(panel.get_by_role("alert")).to_have_text("Alarm: this sounds machine-made.")
    expect(panel.locator(".strip i.fake").first).to_be_attached()
    expect(page.locator("#error")).to_contain_text("Too many listen already")
    expect(panel).to_be_hidden()
    assert json.loads(heard[0])["rate"] >= 8000
    assert np.abs(np.frombuffer(heard[5], "<f4")).max() <= 1


def test_what_cannot_be_judged_is_said_in_words(page) -> None:
    error = page.get_by_role("alert")
    give(page, named("archive.zip", b"PK\x03\x04" + bytes(200)))
    expect(error).to_contain_text("cannot be decoded")
    give(page, named("nothing.wav", b""))
    expect(error).to_contain_text("nothing.wav: it is empty")
    expect(page.locator("#result")).to_be_hidden()
    page.get_by_label("starter").uncheck()
    give(page, REAL)
    expect(error).to_contain_text("No detector is chosen")
    page.get_by_label("starter").check()
    give(page, REAL)
    expect(page.locator(".card")).to_be_visible()
    expect(error).to_be_hidden()


def test_a_request_can_be_cancelled(page) -> None:
    page.route("**/v1/judge*", lambda route: None)
    give(page, REAL)
    expect(page.locator("#busy")).to_contain_text("…")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_format_that_the_browser_does_not_know_keeps_its_timeline(page, tmp_path) -> None:
    sound, rate = soundfile.read(FAKE)
    soundfile.write(tmp_path / "call.aiff", sound, rate)
    give(page, tmp_path / "call.aiff")
    expect(page.locator("#player .note")).to_contain_text("cannot play this format")
    expect(page.locator(".bars i")).to_have_count(1)
    expect(page.locator(".wave")).to_be_hidden()


def test_phones_need_no_sideways_scrolling(page, joined: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_label("toy").check()
    for file in (None, joined):
        if file:
            give(page, file)
            expect(page.locator(".card")).to_have_count(2)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390
        small = "() => [...document.querySelectorAll('button, summary')].filter((each) =>" + (
            " each.checkVisibility() && each.getBoundingClientRect().height < 24).length"
        )
        assert page.evaluate(small) == 0


def test_token_limit_and_a_server_that_is_gone(chromium) -> None:
    page = chromium.new_page()
    with serving(STARTER, token=TOKEN, max_upload_bytes=200_000) as service:
        page.goto(f"http://127.0.0.1:{service.port}/")
        dialog, text = page.get_by_role("dialog"), page.get_by_role("textbox", name="Token")
        text.fill("another-token-of-letters")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("does not accept this token")
        text.fill(TOKEN)
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        give(page, REAL)
        expect(page.locator(".card")).to_contain_text("Probably real speech.")
        give(page, named("big.wav", bytes(300_000)))
        expect(page.get_by_role("alert")).to_contain_text("up to 0.2 MB")
    give(page, REAL)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    page.close()
