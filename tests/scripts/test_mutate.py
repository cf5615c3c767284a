"""The table of planted faults: each can be planted, and the tests that must catch it exist."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_script():
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "scripts/mutate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutate = load_script()
FAULTS = mutate.read_faults()


def test_no_fault_is_in_the_table_twice():
    assert len({(fault.file, fault.before) for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_can_be_planted_and_its_tests_exist(fault):
    assert not fault.is_stale(ROOT), f"{fault.file}: its text is not there exactly once"
    planted = (ROOT / fault.file).read_text().replace(fault.before, fault.after)
    if fault.file.endswith(".py"):
        ast.parse(planted)
    for test in fault.tests:
        file, _, name = test.partition("::")
        functions = ast.parse((ROOT / file).read_text()).body
        names = [part.name for part in functions if isinstance(part, ast.FunctionDef)]
        assert not name or name in names, test


def test_what_cannot_be_planted_is_stale(tmp_path):
    fault = mutate.Fault("one", "a.py", "x = 1", "x = 2", ())
    assert fault.is_stale(tmp_path), "no such file"
    (tmp_path / "a.py").write_text("x = 1\n")
    assert not fault.is_stale(tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n" * 2)
    assert fault.is_stale(tmp_path), "twice"
