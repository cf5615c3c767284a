"""The script that runs the numerical tests under other instructions: its table and its status."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "test_on_other_processors.py"
TESTS = """
import os
import pytest

@pytest.mark.any_processor
def test_everywhere():
    assert os.environ["OMP_NUM_THREADS"] in "12"

@pytest.mark.any_processor
@pytest.mark.parametrize("name", ["a b"])
def test_here_only(name):
    assert os.environ["ATEN_CPU_CAPABILITY"] != "default"

def test_that_the_short_form_leaves_out():
    assert False
"""


def run(*words: str) -> tuple[int, list[list[str]]]:
    command = [sys.executable, str(SCRIPT), "--short", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, [line.split() for line in done.stdout.splitlines()]


def test_the_short_form_names_what_fails(tmp_path: Path) -> None:
    path = tmp_path / "test_some.py"
    path.write_text(TESTS)
    status, (head, first, second, failed) = run(str(path))
    assert head == ["passed", "failed", "seconds", "threads", "setting"]
    assert [*first[:2], *first[3:5]] == ["2", "0", "1", "ATEN_CPU_CAPABILITY=avx2"]
    assert [*second[:2], *second[3:5]] == ["1", "1", "2", "ATEN_CPU_CAPABILITY=default"]
    assert " ".join(failed).endswith("::test_here_only[a b]")
    assert status == 1


def test_where_nothing_ran_nothing_has_passed(tmp_path: Path) -> None:
    path = tmp_path / "test_none.py"
    path.write_text("import pytest\n")
    status, lines = run(str(path))
    assert status == 1 and ["no", "tests", "ran"] in [line[:3] for line in lines]
    path.write_text("import os\nos.kill(os.getpid(), 9)\n")
    status, lines = run(str(path))
    assert status == 1 and lines.count(["pytest", "ended", "with", "status", "-9:"]) == 2
