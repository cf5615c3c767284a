"""Code blocks of the README do what they say, and `bash` of docs/. Trap: README and docs drift.

What needs data that is not here is `sh` in docs/; test_docs.py parses it.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from amsdf.cli import flags
from amsdf.cli.flags.help_texts import COMMANDS
from amsdf.cli.main import main
from amsdf.config import Experiment, read_recipe
from amsdf.config.overrides import parse_value, set_key

ROOT = Path(__file__).parent.parent
#: In the order in which a newcomer reads them.
PAGES = ("README", "docs/judge", "docs/data", "docs/views", "docs/cross-corpus", "docs/papers")
PAGES += ("docs/share",)


def blocks(*pages: str) -> list[tuple[str, str]]:
    texts = [(ROOT / f"{page}.md").read_text("utf-8") for page in pages]
    return [each for text in texts for each in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)]


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """The demo's results, made small."""
    folder = tmp_path_factory.mktemp("readme")
    words = ["demo", "--out", str(folder / "demo"), "--epochs", "1", "--quiet"]
    assert main(words) == 0
    return folder


def test_the_demo_leaves_what_it_promises(demo_folder, capsys):
    page = (demo_folder / "demo/report/report.html").read_text("utf-8")
    assert "data:image/" in page and "one-voice" in page
    assert len(list((demo_folder / "demo/scores").glob("*/*.tsv"))) == 4
    words = ["demo", "--out", str(demo_folder / "demo"), "--epochs", "1", "--quiet"]
    assert main(words) == 0  # once more: what is done is kept
    shown = capsys.readouterr().out
    assert "ljspeech_06_hifigan, in truth fake:\nProbably fake." in shown
    assert "ljspeech_13, in truth real:\nProbably real speech." in shown


def commands() -> list[str]:
    lines = [line for kind, text in blocks(*PAGES) if kind == "bash" for line in text.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.strip()]


def test_shell_blocks(demo_folder, monkeypatch, capsys):
    """In that order, in the folder where the demo ran."""
    monkeypatch.chdir(demo_folder)
    makefile = (ROOT / "Makefile").read_text()
    activate = "source .venv/bin/activate"
    lines = commands()
    first = next(place for place, line in enumerate(lines) if line.startswith("python"))
    assert activate in lines[:first] and ".venv:" not in makefile and "-m venv .venv" in makefile
    for line in (line for line in lines if line != activate):
        program, *words = shlex.split(line)
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), line
            continue
        assert program == "amsdf" or (program, words[0]) == ("python", "main.py"), line
        status = main(words if program == "amsdf" else words[1:])
        assert status == 0, f"{line}\n{capsys.readouterr().err}"


def test_a_line_typed_into_a_shell(demo_folder):
    """The first command on a recording, in bash, by the interpreter that the tests run in."""
    line = next(line for line in commands() if line.startswith("python main.py score"))
    (demo_folder / "main.py").write_text((ROOT / "main.py").read_text())
    done = subprocess.run(
        ["bash", "-c", f'python() {{ "{sys.executable}" "$@"; }}; {line}'],
        cwd=demo_folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "The chance that" in done.stdout and done.stderr == ""


def spans() -> list[str]:
    """Code within the prose, of the README and of the list of pretrained files."""
    texts = [
        (ROOT / path).read_text("utf-8") for path in ("README.md", "pretrained_models/README.md")
    ]
    prose = (re.sub(r"```.*?```", "", text, flags=re.DOTALL) for text in texts)
    return [" ".join(span.split()) for text in prose for span in re.findall(r"`([^`]+)`", text)]


def test_commands_in_the_prose_are_understood():
    """Trap: README and docs drift, where no code block shows it."""
    starts = ("python main.py ", "amsdf ")
    lines = [span.split(start, 1)[1] for span in spans() for start in starts if start in span]
    assert len(lines) >= 3
    for line in lines:
        if "--help" not in line:
            assert flags.build_parser().parse_args(shlex.split(line)).command in COMMANDS


def test_flags_in_the_prose_exist():
    parsers = flags.build_parser()._subparsers._group_actions[0].choices
    pip = {"--no-deps"}
    known = {"--help", *pip}.union(*(parser._option_string_actions for parser in parsers.values()))
    named = {flag for span in spans() for flag in re.findall(r"(?<![\w-])--[a-z-]+", span)}
    assert len(named) > 10 and named <= known, named - known


def test_settings_in_the_prose_are_taken():
    """`--set views.text.lora_rank=8` and the like: the key is one of an experiment."""
    keys = [span.split()[1] for span in spans() if span.startswith("--set ")]
    assert keys
    for word in keys:
        key, _, value = word.replace("NAME", "text").partition("=")
        data = read_recipe("demo")
        set_key(data, key, parse_value(value))
        Experiment.parse(data)


def test_python_blocks(demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    texts = [text for kind, text in blocks("README") if kind == "python"]
    assert len(texts) == 2
    for text in texts:
        exec(compile(text, "README.md", "exec"), {"__name__": "__main__"})


def test_links_and_recipes_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).exists(), target
    shipped = {path.stem for path in (ROOT / "amsdf/config/recipes").glob("*.yaml")}
    table = text.split("## Recipes")[1].split("##")[0]
    named = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    words = {word for cell in named for word in re.findall(r"`([\w*-]+)`", cell)}
    for word in words:
        assert any(re.fullmatch(word.replace("*", ".*"), name) for name in shipped), word
    for name in shipped:
        assert any(re.fullmatch(word.replace("*", ".*"), name) for word in words), name


def test_explain_says_what_each_view_contributed(demo_folder, capsys):
    recording = str(demo_folder / "demo/corpora/many-voices/audio/librispeech_19.flac")
    detector = str(demo_folder / "demo/runs/small")
    assert main(["score", recording, "--detector", detector, "--explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for piece in ("audio", "emotion", "text", "0-0.3 kHz", "0.0-0.3 s"):
        assert any(line.startswith(f"    {piece}: ") for line in lines), piece
