"""What commands do not import: seconds of processor time that a short command would pay for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = """
import sys
from amsdf.cli.main import main
status = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(status)
"""
#: What takes half a second or more.
STATISTICS = {"sklearn", "scipy.stats", "scipy.optimize", "matplotlib", "accelerate"}
NETWORKS = {"torch", "transformers", "whisper", "numba"}


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        ("plugins", STATISTICS | NETWORKS),
        ("doctor", STATISTICS | NETWORKS),
        ("corpora", STATISTICS | NETWORKS),
    ],
)
def test_a_command_imports_only_what_it_needs(words, heavy):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    assert not heavy & set(done.stderr.split())
