"""What commands do not import: seconds of processor time that a short command would pay for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amsdf.cli.process import let_threads_sleep

ROOT = Path(__file__).parent.parent.parent
CLIP = "amsdf/samples/one-voice/audio/ljspeech_02_hifigan.flac"
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
COMPILERS = {"torch._dynamo", "torch.distributed.tensor", "sympy"}


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        ("plugins", STATISTICS | NETWORKS),
        ("doctor", STATISTICS | NETWORKS),
        ("corpora", STATISTICS | NETWORKS),
        (f"score {CLIP}", STATISTICS - {"accelerate"} | NETWORKS - {"torch"} | COMPILERS),
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


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [("OMP_WAIT_POLICY", "passive", "active"), ("OPENBLAS_NUM_THREADS", "1", "2")],
)
def test_threads_do_not_spin_unless_their_user_says_so(monkeypatch, name, ours, theirs):
    monkeypatch.setattr(os, "environ", {})
    let_threads_sleep()
    assert os.environ[name] == ours
    os.environ[name] = theirs
    let_threads_sleep()
    assert os.environ[name] == theirs
