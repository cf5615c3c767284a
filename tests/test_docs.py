"""The pages of docs/ do what they say. Trap: pages and code drift."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from amsdf import registry
from amsdf.cli import flags
from amsdf.cli.flags.help_texts import COMMANDS
from amsdf.cli.main import main
from amsdf.config import Experiment, read_recipe
from amsdf.config.overrides import parse_value, set_key

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = {page.name: page.read_text("utf-8") for page in PAGES}
BLOCK = re.compile(r"^```([\w-]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: Pages whose Python runs here, and whose `amsdf score` does.
RUN = ("quickstart.md", "judge.md", "plugin.md")
#: Flags of other programs: `accelerate launch` and `torchrun`.
FOREIGN = {"--multi_gpu", "--cpu", "--num_processes", "--use_fsdp", "--fsdp_version"}


def blocks(page: str, *kinds: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(TEXTS[page]) if kind in kinds]


def lines_of(page: str) -> list[str]:
    """Commands in blocks: in shell, at a prompt, or of no language. Lines that go on are joined."""
    text = "\n".join(blocks(page, "bash", "sh", "console", ""))
    joined = text.replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].removeprefix("$ ").strip() for line in joined]


def spans_of(page: str) -> list[str]:
    """Code within the prose."""
    prose = BLOCK.sub("", TEXTS[page])
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def commands(page: str) -> list[list[str]]:
    """The words of `amsdf` and `python main.py` commands, in blocks and in the prose."""
    found = re.compile(r"^(?:.*\bmain\.py|amsdf) (?=\w)")
    lines = [line for line in [*lines_of(page), *spans_of(page)] if found.match(line)]
    return [shlex.split(found.sub("", line)) for line in lines if "…" not in line]


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_is_understood(page, capsys):
    for words in commands(page):
        if (
            words[0] not in COMMANDS or "--help" in words or len(words) == 1
        ):  # it may be named alone
            assert words[0] in COMMANDS, words
            continue
        try:
            flags.build_parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{page}: amsdf {shlex.join(words)}\n{capsys.readouterr().err}")


def test_there_are_commands():
    assert sum(len(commands(page)) for page in TEXTS) > 60


def test_scripts_and_targets_exist():
    """Trap: a script is renamed, its page is not."""
    makefile = (ROOT / "Makefile").read_text()
    every = "\n".join(TEXTS.values())
    scripts = set(re.findall(r"\bscripts/[\w/]+\.(?:py|yaml)", every))
    assert scripts and all((ROOT / script).is_file() for script in scripts)
    for target in set(re.findall(r"^make (\w+)|`make (\w+)`", every, re.MULTILINE)):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


def test_flags_in_the_prose_exist():
    parsers = flags.build_parser()._subparsers._group_actions[0].choices
    known = FOREIGN.union(*(parser._option_string_actions for parser in parsers.values()))
    scripts = "".join(path.read_text("utf-8") for path in (ROOT / "scripts").rglob("*.py"))
    for page in TEXTS:
        spans = spans_of(page)
        own = [span for span in spans if re.match(r"amsdf |python main\.py |--", span)]
        named = {flag for span in own for flag in re.findall(r"(?<![\w-])--[a-z_-]+", span)}
        strange = {flag for flag in named - known if f'"{flag}"' not in scripts}
        assert not strange, f"{page}: {strange}"


def test_settings_in_the_prose_are_taken():
    """`--set views.text.lora_rank=8` and the like: the key is one of an experiment."""
    keys = [span.split()[1] for page in TEXTS for span in spans_of(page) if span[:6] == "--set "]
    assert keys
    for word in keys:
        key, _, value = word.replace("NAME", "text").partition("=")
        data = read_recipe("demo")
        set_key(data, key, parse_value(value))
        Experiment.parse(data)


@pytest.fixture
def demo_folder(tmp_path, monkeypatch):
    """A folder with what the pages judge."""
    shutil.copytree(ROOT / "amsdf/samples", tmp_path / "demo/corpora")
    shutil.copytree(ROOT / "amsdf/samples", tmp_path / "amsdf/samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", RUN)
def test_python_and_first_commands_run(page, demo_folder, capsys):
    for text in blocks(page, "python"):
        exec(compile(text, page, "exec"), {"__name__": "__main__"})
    for words in commands(page):
        if words[0] == "score" and any(word.startswith(("demo/", "amsdf/")) for word in words):
            assert main(words) == 0, f"{shlex.join(words)}\n{capsys.readouterr().err}"
    shown = capsys.readouterr().out
    for text in blocks(page, "text"):
        for line in text.splitlines():
            if line.startswith("ljspeech"):
                assert line in shown, line


def test_messages_of_troubleshooting_are_in_the_code():
    """Trap: a message is reworded and nobody finds it any more."""
    rooms = ("amsdf", "encoders", "heads", "losses")
    code = "\n".join(
        path.read_text("utf-8") for room in rooms for path in (ROOT / room).rglob("*.py")
    )
    joined = re.sub(r'"\s*\n\s*f?"', "", code)  # texts of several lines
    messages = re.findall(r"^\| `([^`]+)` \|", TEXTS["troubleshooting.md"], re.MULTILINE)
    assert len(messages) > 25
    assert [message for message in messages if message not in joined] == []


@pytest.fixture(scope="module")
def generated():
    """The module that makes pages from the code."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'amsdf[docs]'")
    spec = spec_from_file_location("pages", ROOT / "scripts/docs/pages.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_part_is_on_its_page(generated):
    text = generated.parts_page()
    for kind in registry.KINDS:
        for name in registry.names(kind):
            assert f"{{#{kind}-{name}}}" in text or f"(corpora/{name}.md)" in text, name
    assert "| `alpha` | `float = 20.0` |" in text
    extending = text.split("{#encoders-emotion-model}")[1].split("###")[0]
    assert "| Zero mean and unit variance for each clip" in extending  # said by what it extends
    recipes = generated.recipes_page()
    assert all(f"## `{name}`" in recipes for name in ("amsdf", "ebm"))


def test_docstrings_are_split(generated):
    about, found = generated.split_docstring(
        "One.\n\nMore.\n\nArgs:\n    a: First\n        line.\n    b: B."
    )
    assert about == "One.\n\nMore." and found == {"a": "First line.", "b": "B."}


def test_the_pages_are_built_strictly_and_load_nothing(generated, tmp_path):
    """Links and anchors hold; no page asks another address for a font or a script.

    Search works without a server: its index is a script, and ours stands in for its worker.
    """
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {page.name: page.read_text("utf-8") for page in tmp_path.glob("*.html")}
    assert {page.replace(".md", ".html") for page in TEXTS} <= {*pages}
    for name, text in pages.items():
        loaded = re.findall(r"<(?:script|link|img)[^>]*?(?:src|href)=\"?(https?:[^\" >]+)", text)
        assert not loaded, f"{name}: {loaded}"
        assert 'href="../' not in text, f"{name}: a link leaves the site"
    assert (tmp_path / "search/search_index.js").read_text("utf-8").startswith("var __index = {")
    assert '<script src="iframe-worker.js">' in pages["index.html"]
    assert "amsdf.evaluate" in pages["api.html"] and "oc-softmax" in pages["parts.html"]
