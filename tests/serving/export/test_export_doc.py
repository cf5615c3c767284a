"""docs/export.md: its commands are understood, its figures are those of the code."""

import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import pytest

from amsdf.audio.cropping import MIN_SAMPLES
from amsdf.cli.flags import build_parser
from amsdf.serving.export.graph import MOST_BYTES
from amsdf.serving.export.parity import TOLERANCE
from amsdf.serving.export.runtime import NAME, write_runtime

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/export.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [shlex.split(line) for block in BLOCKS for line in block.splitlines()]


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] == "amsdf"], ids=str)
def test_its_commands_are_understood(words):
    assert build_parser().parse_args(words[1:]).command == "export"


def test_its_scripts_are_there():
    called = [words[1] for words in COMMANDS if words[0] == "python" and words[1] != "-m"]
    assert {Path(name).name for name in called} == {NAME, "build_browser_demo.py"}
    assert all((ROOT / name).is_file() for name in called if name != NAME)
    for name in re.findall(r"`(?:python )?((?:tests|scripts)/[\w/]+\.py)", TEXT):
        assert (ROOT / name).is_file(), name


def test_its_python_is_that_of_the_runtime(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    write_runtime(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert block.startswith("from amsdf_runtime import load\n")
    assert callable(import_module("amsdf_runtime").load)
    monkeypatch.delitem(sys.modules, "amsdf_runtime")


def test_its_limits_are_those_of_the_code():
    assert f"more than {TOLERANCE:.0e} ".replace("e-0", "e-") in " ".join(TEXT.split())
    assert MOST_BYTES == 2 * 2**30 and "less than 2 GiB" in TEXT
    assert f"from {MIN_SAMPLES:,} samples" in TEXT
