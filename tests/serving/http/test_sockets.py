"""Who may open a WebSocket, whatever it is for."""

import json

import pytest
from command_line import calibrated_detector
from fastapi import WebSocket
from served import LONG, serving, until
from toy_sounds import speech
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

TOKEN = "0123456789abcdef-0123456789abcdef"


async def echo(socket: WebSocket) -> None:
    """Give one message back."""
    await socket.accept()
    await socket.send_bytes(await socket.receive_bytes())
    await socket.close()


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("served") / "mine")


def refusal(served, **how) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{served.port}/echo", **how)
    answer = refused.value.response
    return answer.status_code, json.loads(answer.body)["error"]["code"]


def test_without_a_token_only_this_machine_and_its_own_page_are_let_in(detector):
    with serving(detector) as served:
        served.app.add_api_websocket_route("/echo", echo)
        address = f"ws://127.0.0.1:{served.port}/echo"
        for origin in (None, f"http://127.0.0.1:{served.port}"):
            with connect(address, origin=origin) as socket:
                socket.send(b"sound")
                assert socket.recv() == b"sound"
        assert refusal(served, origin="https://evil.example") == (403, "cross_site")
        assert refusal(served, origin="null") == (403, "cross_site")
        until(lambda: len(served.log) == 4)
        assert [line["status"] for line in served.log] == [101, 101, 403, 403]
        assert served.log[0]["method"] == "WEBSOCKET" and served.log[0]["bytes"] == 5


def test_a_token_is_asked_for_as_header_or_as_subprotocol(detector):
    with serving(detector, token=TOKEN) as served:
        served.app.add_api_websocket_route("/echo", echo)
        address = f"ws://127.0.0.1:{served.port}/echo"
        with connect(address, subprotocols=["bearer", TOKEN]) as socket:
            assert socket.subprotocol == "bearer"
            socket.send(b"sound")
            assert socket.recv() == b"sound"
        header = {"Authorization": f"Bearer {TOKEN}"}
        with connect(address, additional_headers=header) as socket:
            assert socket.subprotocol is None
        for protocols in (None, ["bearer"], ["bearer", TOKEN[:-1]], [TOKEN, "bearer"]):
            assert refusal(served, subprotocols=protocols) == (401, "unauthorized")
        assert TOKEN not in str(served.log)


def test_a_message_that_is_too_large_closes_it(detector):
    with serving(detector) as served:
        served.app.add_api_websocket_route("/echo", echo)
        address = f"ws://127.0.0.1:{served.port}/echo"
        with connect(address) as socket, pytest.raises(ConnectionClosed):
            socket.send(bytes(2 << 20))
            socket.recv()
        assert served.ask("GET", "/healthz").status == 200


def test_live_listening_wants_the_token_and_is_limited(detector):
    sound = speech(1.0).astype("<f4").tobytes()
    with serving(detector, token=TOKEN, max_live=1) as served:
        address = f"ws://127.0.0.1:{served.port}/v1/live"
        with pytest.raises(InvalidStatus):
            connect(address)
        with connect(address, subprotocols=["bearer", TOKEN]) as first:
            assert first.subprotocol == "bearer"
            first.send(sound)
            assert json.loads(first.recv(LONG))["headline"]
            assert served.service.live == 1
            with connect(address, subprotocols=["bearer", TOKEN]) as second:
                assert json.loads(second.recv(LONG))["error"]["code"] == "too_many_streams"
        until(lambda: served.service.live == 0)


def test_a_service_that_ends_ends_its_live_streams(detector):
    with serving(detector) as served:
        socket = connect(f"ws://127.0.0.1:{served.port}/v1/live")
        socket.send(speech(1.0).astype("<f4").tobytes())
        assert json.loads(socket.recv(LONG))["headline"]
    with socket, pytest.raises(ConnectionClosed):
        while True:
            socket.recv(LONG)
    assert served.service.live == 0


@pytest.mark.parametrize("text", ["[" * 100_000, '{"rate": NaN}', '{"rate": 1e400}', "\x00", ""])
def test_broken_words_of_a_live_stream_are_refused(detector, text):
    with serving(detector) as served:
        with connect(f"ws://127.0.0.1:{served.port}/v1/live") as socket:
            socket.send(text)
            assert json.loads(socket.recv(LONG))["error"]["code"] == "bad_message"
        until(lambda: served.log)
        assert served.log[0]["error"] == "bad_message" and served.log[0]["route"] == "/v1/live"
