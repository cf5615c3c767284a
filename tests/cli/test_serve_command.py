"""`amsdf serve`: what it refuses before it serves, and how it says where it is."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SMALL, refused, toy_detector

MAIN = Path(__file__).parents[2] / "main.py"


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return toy_detector(tmp_path_factory.mktemp("serve") / "mine", **SMALL)


def test_what_cannot_be_served_is_refused_in_one_line(capsys, detector, tmp_path, monkeypatch):
    monkeypatch.delenv("AMSDF_SERVE_TOKEN", raising=False)
    other = toy_detector(tmp_path / "mine", **SMALL)
    short = tmp_path / "token"
    short.write_text("abc\n")
    mine = ("serve", "--detector", detector)
    for words, reason in (
        (("serve", "--detector", "nowhere"), "does not exist"),
        ((*mine, "--detector", other), "two detectors are called 'mine'"),
        ((*mine, "--host", "0.0.0.0"), "needs a token"),
        ((*mine, "--token-file", short), "at least 16"),
        ((*mine, "--token-file", tmp_path / "none"), "No such file"),
        ((*mine, "--limit", "max_second=3"), "do you mean max_seconds?"),
        ((*mine, "--limit", "zzz=3"), "there are: max_upload_bytes"),
        ((*mine, "--limit", "max_queue=1.5"), "give a whole number"),
        ((*mine, "--limit", "max_seconds=-1"), "above 0"),
        ((*mine, "--limit", "max_seconds=nan"), "above 0"),
    ):
        assert reason in refused(capsys, *words)
    monkeypatch.setenv("AMSDF_SERVE_TOKEN", "0123456789abcdef")
    assert "--host 203.0.113.7" in refused(capsys, *mine, "--host", "203.0.113.7")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "another --port may be free" in refused(capsys, *mine, "--port", str(port))


def test_a_detector_that_cannot_be_opened_ends_it_with_one_line(detector, tmp_path):
    broken = toy_detector(tmp_path / "broken", **SMALL)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    done = subprocess.run(
        [sys.executable, MAIN, "serve", "--port", "0", "--detector", broken],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("amsdf serve: ") and "Traceback" not in done.stderr


def test_without_its_packages_it_says_which_extra_has_them(tmp_path):
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError('no', name='fastapi')")
    done = subprocess.run(
        [sys.executable, MAIN, "serve"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    line = "amsdf serve: needs the package fastapi; pip install 'amsdf[serve]'\n"
    assert (done.returncode, done.stderr) == (2, line)
