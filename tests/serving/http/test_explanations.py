"""`?explain=1`: the evidence of the window that looks most like a fake; off unless asked for."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from command_line import toy_detector

pytest.importorskip("fastapi", reason="pip install 'amsdf[serve]' brings it")

from served import Served, serving, wav

from amsdf import load
from amsdf.audio import stream_audio
from amsdf.scoring.judging.explain import explain_recording


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Path:
    """Of two views, listening to windows."""
    return toy_detector(tmp_path_factory.mktemp("toy") / "toy", score={"parts": "windows"})


@pytest.fixture(scope="module")
def service(detector: Path) -> Iterator[Served]:
    with serving(detector) as service:
        yield service


def test_the_lowest_window_is_explained(service: Served, detector: Path) -> None:
    answer = service.judge(wav(), "?explain=1").json
    lowest = min(answer["windows"], key=lambda window: window["score"])
    assert answer["explained"] == lowest
    judge, place = load(detector), answer["windows"].index(lowest)
    wanted = explain_recording(judge.detector, stream_audio(wav()), place, judge.settings)
    assert {each["kind"] for each in answer["evidence"]} == {"time", "band", "view"}
    for found, each in zip(answer["evidence"], map(asdict, wanted), strict=True):
        assert found == {**each, "towards_fake": pytest.approx(each["towards_fake"], abs=1e-4)}


def test_nothing_is_explained_unasked(service: Served) -> None:
    answer = service.judge(wav()).json
    assert "evidence" not in answer and "explained" not in answer
