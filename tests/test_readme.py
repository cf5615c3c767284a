"""Every code block of the README does what it says. Trap: README and docs drift."""

import re
import shlex
from pathlib import Path

import pytest

from amsdf.cli import main

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """The demo's results, made small."""
    folder = tmp_path_factory.mktemp("readme")
    words = ["demo", "--out", str(folder / "demo"), "--clips", "24", "--epochs", "1", "--quiet"]
    assert main(words) == 0
    return folder


def test_the_demo_leaves_what_it_promises(demo_folder, capsys):
    page = (demo_folder / "demo/report/report.html").read_text("utf-8")
    assert "data:image/" in page and "low-voices" in page
    for name in ("low-voices", "high-voices"):  # maps compare with what was really trained on
        assert f"{name}: {name}/train against" in page
    assert "/eval against" not in page
    assert len(list((demo_folder / "demo/scores").glob("*/*.tsv"))) == 4
    assert main(["demo", "--out", str(demo_folder / "demo"), "--clips", "24", "--quiet",
                 "--epochs", "1"]) == 0  # fmt: skip
    assert "one recording, in truth" in capsys.readouterr().out


def commands() -> list[str]:
    lines = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.strip()]


def test_shell_blocks(demo_folder, monkeypatch, capsys):
    """In the README's order, in the folder where the demo ran."""
    monkeypatch.chdir(demo_folder)
    makefile = (ROOT / "Makefile").read_text()
    for line in commands():
        program, *words = shlex.split(line)
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), line
            continue
        assert (program, words[0]) == ("python", "main.py"), line
        status = main(words[1:])
        assert status == 0, f"{line}\n{capsys.readouterr().err}"


def test_python_blocks(demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    blocks = [text for kind, text in BLOCKS if kind == "python"]
    assert len(blocks) == 2
    for text in blocks:
        exec(compile(text, "README.md", "exec"), {"__name__": "readme"})


def test_links_and_recipes_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).exists(), target
    shipped = {path.stem for path in (ROOT / "amsdf/recipes").glob("*.yaml")}
    table = text.split("## Recipes")[1].split("##")[0]
    named = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    words = {word for cell in named for word in re.findall(r"`([\w*-]+)`", cell)}
    for word in words:
        assert any(re.fullmatch(word.replace("*", ".*"), name) for name in shipped), word
    for name in shipped:
        assert any(re.fullmatch(word.replace("*", ".*"), name) for word in words), name


def test_explain_says_what_each_view_contributed(demo_folder, capsys):
    recording = str(demo_folder / "demo/corpora/low-voices/audio/low-voices_009.flac")
    detector = str(demo_folder / "demo/runs/low-voices")
    assert main(["score", recording, "--detector", detector, "--explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for view in ("audio", "emotion", "text"):
        assert any(
            re.match(rf"  {view} +score [+-]\d.* without it; attention", line) for line in lines
        )
