"""The browser demo: the same probability as `amsdf score`, and nothing leaves the machine."""

import importlib.util
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from amsdf.scoring.judging.judge import load

ROOT = Path(__file__).parents[3]
CLIP = ROOT / "amsdf/samples/one-voice/audio/ljspeech_02_hifigan.flac"
PATIENCE = 240_000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def demo(tmp_path_factory, chromium):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    spec = importlib.util.spec_from_file_location("demo", ROOT / "scripts/build_browser_demo.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("demo")
    script.build("starter", folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.slow
def test_a_clip_gets_its_probability_and_goes_nowhere(demo, chromium):
    asked, sent, problems = [], [], []
    page = chromium.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("request", lambda request: sent.append(request.post_data_buffer))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else 0)
    page.goto(demo)
    page.wait_for_selector("#file:not([disabled])", timeout=PATIENCE)
    page.set_input_files("#file", CLIP)
    page.wait_for_selector("#answer[data-probability]", timeout=PATIENCE)
    found = float(page.get_attribute("#answer", "data-probability"))
    words = page.inner_text("#answer")
    page.close()

    wanted = load("starter", device="cpu")(CLIP)
    assert found == pytest.approx(wanted.probability, abs=1e-3)
    assert words.startswith("Probably fake.") and wanted.decision == "fake"
    assert not problems
    assert all(url.startswith((demo, "blob:", "data:")) for url in asked)
    assert not any(sent), "the recording leaves the machine"
