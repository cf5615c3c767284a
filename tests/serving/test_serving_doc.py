"""docs/serving.md: its commands are understood, its limits are those of the code, its curl runs."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from command_line import calibrated_detector
from served import serving, wav

from amsdf.cli.flags import build_parser
from amsdf.serving.http.settings import LIMITS, ServeSettings

TEXT = (Path(__file__).parents[2] / "docs/serving.md").read_text()


def commands(program: str) -> list[str]:
    """The lines of the page, and the code in its prose, that call a program."""
    blocks = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(amsdf [^`]+)`", TEXT)
    return [line for line in lines if line.split()[0] == program]


def test_its_commands_are_understood():
    found = [shlex.split(line)[1:] for line in commands("amsdf")]
    assert len(found) >= 4
    assert all(build_parser().parse_args(words).command == "serve" for words in found)


def test_its_limits_are_those_of_the_code():
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", TEXT, re.MULTILINE))
    defaults = {each.name: each.default for each in fields(ServeSettings)}
    assert {name: float(value) for name, value in table.items()} == {
        name: float(defaults[name]) for name in LIMITS
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_its_curl_lines_work(tmp_path):
    (tmp_path / "call.m4a").write_bytes(wav())
    token = "0123456789abcdef-0123456789abcdef"
    (tmp_path / "token.txt").write_text(token)
    open_, closed = commands("curl")
    for line, how in ((open_, {}), (closed, {"token": token})):
        with serving(calibrated_detector(tmp_path / "mine"), **how) as served:
            done = subprocess.run(
                line.replace("127.0.0.1:8000", f"127.0.0.1:{served.port}"),
                shell=True,
                cwd=tmp_path,
                capture_output=True,
                check=True,
            )
            assert json.loads(done.stdout)["headline"]


def test_its_client_is_one_that_works(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "call.m4a").write_bytes(wav())
    with serving(calibrated_detector(tmp_path / "mine")) as served:
        exec(code.replace("127.0.0.1:8000", f"127.0.0.1:{served.port}"), {})
    assert re.fullmatch(r"\S.*\. [01]\.\d+\n", capsys.readouterr().out)


def test_every_code_it_names_is_one_of_the_code():
    folder = Path(__file__).parents[2] / "amsdf/serving/http"
    source = "".join(file.read_text() for file in folder.rglob("*.py"))
    named = re.findall(r"\b[45]\d\d `(\w+)`", TEXT)
    assert len(named) > 6 and all(f'"{code}"' in source for code in named)
