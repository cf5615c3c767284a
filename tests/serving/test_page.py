"""The page as people use it: a browser without a window, the real service, real recordings."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from browsing import FAKE, REAL, STARTER, give, named, seconds_at

import amsdf

pytest.importorskip("fastapi", reason="pip install 'amsdf[serve]' brings it")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]' brings it")

from served import serving  # noqa: E402

expect = playwright.expect
TOKEN = "a-token-of-many-letters"


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


DROP = """([contents, name]) => {
  const carried = new DataTransfer();
  for (const content of contents) {
    carried.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  }
  const how = { dataTransfer: carried, bubbles: true, cancelable: true };
  document.querySelector("footer").dispatchEvent(new DragEvent("dragover", how));
  const shown = !document.querySelector("#over").hidden;
  document.querySelector("footer").dispatchEvent(new DragEvent("drop", how));
  return shown;
}"""


def test_a_recording_is_dropped_anywhere(page) -> None:
    content = base64.b64encode(FAKE.read_bytes()).decode()
    assert page.evaluate(DROP, [[content, content], "call.flac"])
    expect(page.get_by_role("alert")).to_contain_text("One recording at a time")
    assert page.evaluate(DROP, [[content], "call.flac"])
    expect(page.locator("#over")).to_be_hidden()
    expect(page.locator("#result-title")).to_contain_text("call.flac")
    expect(page.locator(".card")).to_contain_text("Probably fake.")


def test_a_request_can_be_cancelled(page) -> None:
    page.route("**/v1/judge*", lambda route: None)
    give(page, REAL)
    expect(page.locator("#busy")).to_contain_text("…")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.get_by_role("alert")).to_be_hidden()


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
