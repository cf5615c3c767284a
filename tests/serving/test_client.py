"""The client that stands alone, against a running service."""

import ast
import sys
from pathlib import Path

import pytest
from command_line import calibrated_detector
from served import serving, wav

import amsdf
from amsdf.serving import client
from amsdf.serving.client import Client, ServiceError

TOKEN = "0123456789abcdef-0123456789abcdef"


def test_it_judges_files_and_bytes_and_tells_refusals(tmp_path):
    detector = calibrated_detector(tmp_path / "mine")
    call = tmp_path / "call.wav"
    call.write_bytes(wav())
    with serving(detector, token=TOKEN, max_upload_bytes=1_000_000) as served:
        asked = Client(f"http://127.0.0.1:{served.port}", TOKEN)
        verdict = asked.judge(call)
        wanted = amsdf.load(detector, device="cpu")(call)
        assert verdict.probability == pytest.approx(wanted.probability, abs=1e-6)
        assert (verdict.decision, verdict.seconds) == (wanted.decision, 2.0)
        assert verdict.lines == wanted.lines() and verdict.details["windows"]
        again = asked.judge(call.read_bytes(), "mine")
        assert again.probability == pytest.approx(wanted.probability, abs=1e-6)
        assert [each["name"] for each in asked.detectors()] == ["mine"]
        for ask, code in (
            (lambda: asked.judge(b"text"), (422, "unusable_recording")),
            (lambda: asked.judge(call, "other one"), (404, "unknown_detector")),
            (lambda: asked.judge(bytes(3_000_000)), (413, "too_large")),
            (lambda: Client(asked.address).detectors(), (401, "unauthorized")),
        ):
            with pytest.raises(ServiceError) as refusal:
                ask()
            assert (refusal.value.status, refusal.value.code) == code
            assert refusal.value.retry_after is None


def test_it_needs_python_alone():
    tree = ast.parse(Path(client.__file__).read_text())
    named = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [name.name for x in ast.walk(tree) if isinstance(x, ast.Import) for name in x.names]
    assert {name.partition(".")[0] for name in named} <= sys.stdlib_module_names
