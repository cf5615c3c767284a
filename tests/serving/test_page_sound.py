"""The sound of the page: spans that play, the microphone, live, what no browser can play."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from browsing import FAKE, give, seconds_at

import amsdf

pytest.importorskip("fastapi", reason="pip install 'amsdf[serve]' brings it")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]' brings it")
expect = playwright.expect


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
    # Firefox takes no click on a button whose text is set anew between press and release.
    page.evaluate("() => { window.word = document.querySelector('.play').firstChild; }")
    page.wait_for_function("(was) => document.querySelector('.now').textContent !== was", arg=heard)
    assert page.evaluate("() => document.querySelector('.play').firstChild === window.word")


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


def test_live_with_the_service(page) -> None:
    page.get_by_role("button", name="Listen live").click()
    panel = page.locator("#rolling")
    expect(panel.locator(".strip i").first).to_be_attached()
    expect(panel.locator(".headline")).to_have_text(re.compile("real speech|fake|tell"))
    panel.get_by_role("button", name="Stop").click()
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="Listen live")).to_be_focused()
    expect(page.locator("#error")).to_be_hidden()


def test_live_shows_alarms_and_refusals(page) -> None:
    """What the service says only seldom."""
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


def test_the_chosen_detector_listens_and_how_near_an_alarm_is_is_said(page) -> None:
    news = {"seconds": 1.0, "probability": None, "decision": "cannot tell", "alarm": False}
    news |= {"headline": "Cannot tell.", "window": None, "towards_alarm": 0.244}

    def open_socket(socket: Any) -> None:
        socket.on_message(lambda _: socket.send(json.dumps(news)))

    page.route_web_socket("**/v1/live?detector=toy", open_socket)
    page.get_by_label("starter").uncheck()
    page.get_by_label("toy").check()
    page.get_by_role("button", name="Listen live").click()
    panel = page.get_by_role("region", name="Live: toy")
    expect(panel.locator(".near")).to_contain_text("24 % of an alarm")
    panel.get_by_role("button", name="Stop").click()
    expect(panel).to_be_hidden()


def test_a_format_that_the_browser_does_not_know_keeps_its_timeline(page, tmp_path) -> None:
    sound, rate = soundfile.read(FAKE)
    soundfile.write(tmp_path / "call.aiff", sound, rate)
    give(page, tmp_path / "call.aiff")
    expect(page.locator("#player .note")).to_contain_text("cannot play this format")
    expect(page.locator(".bars i")).to_have_count(1)
    expect(page.locator(".wave")).to_be_hidden()
