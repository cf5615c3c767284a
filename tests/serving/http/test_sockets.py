"""Who may open a WebSocket, whatever it is for."""

import json

import pytest
from fastapi import WebSocket
from served import served_detector, serving, until
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
    return served_detector(tmp_path_factory.mktemp("served") / "mine")


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
