"""The files of the page: nothing from elsewhere, nothing that a strict policy forbids, contrast."""

import re
from itertools import product
from pathlib import Path

import pytest

import amsdf

PAGE = Path(amsdf.__file__).parent / "serving" / "page"
FILES = sorted(PAGE.glob("*.*"))
NAMESPACE = "http://www.w3.org/2000/svg"
#: Text and what is behind it.
TEXTS = list(product(("ink", "soft", "accent", "fake"), ("ground", "surface", "sunk")))
TEXTS += [("on-accent", "accent"), ("surface", "fake"), ("surface", "real"), ("surface", "unsure")]
#: Lines of controls and pictures.
LINES = list(product(("edge", "wave", "fake", "real", "unsure"), ("surface", "sunk")))


def test_nothing_comes_from_elsewhere() -> None:
    """The page works without a network and tells nobody."""
    outside = re.compile(r"(?:https?|wss?):|//\w|url\(|@import|sendBeacon|\bfetch\(|\bimport\(")
    for file in FILES:
        code = re.sub(r"(?m)(^|\s)// .*$", "", file.read_text().replace(NAMESPACE, ""))
        assert not outside.search(code), f"{file.name}: {outside.search(code)}"


def test_nothing_is_named_that_is_not_there() -> None:
    named = set(re.findall(r'(?:src|href)="([^"#][^"]*)"', (PAGE / "index.html").read_text()))
    for file in PAGE.glob("*.js"):
        named |= set(re.findall(r'from "\./([^"]+)"|addModule\("([^"]+)"', file.read_text()))
    names = {name for each in named for name in ([each] if isinstance(each, str) else each) if name}
    assert names | {"index.html"} == {file.name for file in FILES}


def test_nothing_that_a_strict_policy_forbids() -> None:
    """No style, script or handler inside the page, no text that is read as HTML."""
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src)", markup)
    for file in PAGE.glob("*.js"):
        found = re.search(
            r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", file.read_text()
        )
        assert not found, f"{file.name}: {found}"


def test_every_control_has_a_name() -> None:
    markup = (PAGE / "index.html").read_text()
    for button in re.findall(r"<button[^>]*>(.*?)</button>", markup, re.DOTALL):
        assert button.strip()
    labelled = set(re.findall(r'<label for="([^"]+)"', markup))
    inputs = re.findall(r"<input[^>]*>", markup)
    assert {
        re.search(r'id="([^"]+)"', each)[1] for each in inputs if "hidden" not in each
    } == labelled
    for pictured in re.findall(r'<[^>]*role="(?:img|meter|slider)"[^>]*>', markup):
        assert "aria-label=" in pictured


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_aa(theme: int) -> None:
    """WCAG: 4.5 for text, 3 for what else must be seen."""
    rule = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
    colours = {name: pair[theme] for name, *pair in rule.findall((PAGE / "page.css").read_text())}
    for least, pairs in ((4.5, TEXTS), (3.0, LINES)):
        for front, back in pairs:
            ratio = contrast(colours[front], colours[back])
            assert ratio >= least, f"{front} on {back}: {ratio:.2f}"


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
