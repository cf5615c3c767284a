"""The WebSocket gives the verdicts of `amsdf live`, and refuses what it must."""

import json

import numpy as np
import pytest
from command_line import calibrated_detector
from served import serving
from toy_sounds import speech
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from amsdf.scoring.judging.judge import load
from amsdf.serving.live.inflow import Inflow
from amsdf.serving.live.socket import MOST_BYTES
from amsdf.serving.live.stream import LiveJudge

SOUND = speech(4.1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("socket"))


@pytest.fixture(scope="module")
def served(folder):
    with serving(folder) as service:
        yield service


def opened(served, query="", **how):
    return connect(f"ws://127.0.0.1:{served.port}/v1/live{query}", proxy=None, **how)


def refusal(socket):
    """The error that a stream ends with."""
    error = json.loads(socket.recv(timeout=60))["error"]
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=60)
    assert sorted(error) == ["code", "message"] and "\n" not in error["message"]
    return error["code"]


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_the_verdicts_are_those_of_amsdf_live(served, folder, rate):
    sound = np.repeat(SOUND, rate // 16_000)
    blocks = np.split(sound, range(rate // 4, len(sound), rate // 4))
    inflow, here = Inflow(), LiveJudge(load(folder, device="cpu"))
    wanted, found = [], []
    with opened(served) as socket:
        socket.send(json.dumps({"rate": rate}))
        for block in blocks:
            due = here.feed(inflow.add((block[:, None], rate)))
            wanted += due
            socket.send(block.tobytes())
            found += [json.loads(socket.recv(timeout=60)) for _ in due]
        socket.send('{"end": true}')
        wanted += here.feed(inflow.rest()) + here.finish()
        found += [json.loads(text) for text in socket]
    assert len(found) > 15 and len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one["seconds"] == other.seconds and one["headline"] == other.headline
        assert (one["window"] is None) == (other.window is None)
        assert one["score"] == pytest.approx(other.score, abs=1e-6)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"123", "bad_frame"),
        (bytes(MOST_BYTES + 4), "too_large"),
        ("{", "bad_message"),
        ('{"rate": 5}', "bad_message"),
        ('{"rate": true}', "bad_message"),
        ("[]", "bad_message"),
    ],
)
def test_what_is_no_sound_is_refused_in_the_one_shape(served, message, code):
    with opened(served) as socket:
        socket.send(message)
        assert refusal(socket) == code


def test_an_unknown_detector_is_refused(served):
    with opened(served, "?detector=nobody") as socket:
        assert refusal(socket) == "unknown_detector"


def test_a_client_that_leaves_frees_its_place_and_a_silent_one_is_ended(folder):
    with serving(folder, max_live=1, idle_seconds=3.0) as service:
        with opened(service) as socket:
            socket.send(SOUND.tobytes())
            socket.recv(timeout=60)
            with opened(service) as second:
                assert refusal(second) == "too_many_streams"
            while "error" not in (news := json.loads(socket.recv(timeout=60))):
                pass
            assert news["error"]["code"] == "idle"
        assert service.service.live == 0


def test_frames_that_wait_keep_their_rate(served):
    with opened(served) as socket:
        for rate in (48_000, 16_000):
            socket.send(json.dumps({"rate": rate}))
            for _ in range(8):
                socket.send(np.zeros(rate // 2, np.float32).tobytes())
        socket.send('{"end": true}')
        *_, last = (json.loads(text) for text in socket)
    assert last["seconds"] == pytest.approx(8.0, abs=0.01)


def test_broken_samples_are_silence(served):
    with opened(served) as socket:
        socket.send(np.full(4000, np.nan, np.float32).tobytes())
        assert json.loads(socket.recv(timeout=60))["headline"] == "Listening."
