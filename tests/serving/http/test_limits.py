"""Clients that are slow, many, gone or not allowed, and a service that ends, over real HTTP."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import numpy as np
import pytest
from command_line import calibrated_detector
from served import LONG, RAW, answer_of, serving, until, wav
from toy_sounds import speech

from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.recordings import batching
from amsdf.serving.http.recordings.judging import Patience
from amsdf.serving.http.settings import ServeSettings

TOKEN = "0123456789abcdef-0123456789abcdef"
MAIN = Path(__file__).parents[3] / "main.py"


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("served") / "mine")


def quiet(served) -> bool:
    """Whether nothing is open and nobody waits."""
    return served.service.uploads.open == served.service.judging.pending == 0


def test_fifty_half_open_uploads_do_not_keep_a_good_request_waiting(detector):
    with serving(detector) as served:
        stuck = [served.connect(served.head(1_000_000) + bytes(99)) for _ in range(50)]
        until(lambda: served.service.uploads.open == 50)
        assert served.judge(wav()).status == 200
        for each in stuck:
            each.close()
        until(lambda: quiet(served))
        until(lambda: len(served.log) == 51)
        assert sorted(line["status"] for line in served.log) == [200, *[499] * 50]


def test_a_client_that_stops_sending_or_sends_a_byte_at_a_time_is_let_go(detector):
    with serving(detector, idle_seconds=0.3, upload_seconds=1.5) as served:
        with served.connect(served.head(1000) + b"RIFF") as stopped:
            answer = answer_of(stopped)
            assert (answer.status, answer.code) == (408, "too_slow")
            assert stopped.recv(1) == b""  # the rest is not waited for either
        with served.connect(served.head(1000)) as trickling:
            threading.Thread(target=trickle, args=(trickling,), daemon=True).start()
            assert answer_of(trickling).code == "too_slow"
        until(lambda: quiet(served))
        assert [line["error"] for line in served.log] == ["too_slow", "too_slow"]


def trickle(opened: socket.socket) -> None:
    """A byte every tenth of a second until nobody takes it."""
    try:
        while True:
            opened.sendall(b"x")
            time.sleep(0.1)
    except OSError:
        return


def test_a_connection_on_which_no_request_begins_is_closed(detector):
    with serving(detector, idle_seconds=0.3) as served:
        for start in (b"", b"POST /v1/jud", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A"):
            with served.connect(start) as opened:
                assert opened.recv(1) == b""


def test_uploads_above_the_limit_are_refused(detector):
    with serving(detector, max_uploads=2) as served:
        stuck = [served.connect(served.head(1000)) for _ in range(2)]
        until(lambda: served.service.uploads.open == 2)
        answer = served.judge(wav())
        assert (answer.status, answer.code) == (429, "too_many_uploads")
        assert int(answer.headers["retry-after"]) > 0
        for each in stuck:
            each.close()
        until(lambda: quiet(served))
        assert served.judge(wav()).status == 200


def test_connections_above_the_limit_are_closed(detector):
    with serving(detector, max_connections=2, idle_seconds=LONG) as served:
        stuck = [served.connect() for _ in range(2)]
        with served.connect() as third:
            assert third.recv(1) == b""
        for each in stuck:
            each.close()
        until(lambda: answers(served))


def answers(served) -> bool:
    with suppress(OSError, HTTPException):
        return served.ask("GET", "/healthz").status == 200
    return False


@pytest.fixture
def held(monkeypatch):
    """The scoring of every recording waits until this is set."""
    go, score = threading.Event(), batching.score_parts
    go.calls = 0

    def wait(*given):
        assert go.wait(LONG)
        go.calls += 1
        return score(*given)

    monkeypatch.setattr(batching, "score_parts", wait)
    at_last = threading.Timer(LONG / 2, go.set)  # else a test that fails would wait for long
    at_last.start()
    yield go
    go.set()
    at_last.cancel()


def test_a_full_queue_is_a_503_and_what_waits_is_judged(detector, held):
    with serving(detector, at_once=1, max_queue=1) as served:
        waiting = [served.connect(served.head(len(wav())) + wav()) for _ in range(2)]
        until(lambda: served.service.judging.pending == 2)
        answer = served.judge(wav())
        assert (answer.status, answer.code) == (503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        assert served.ask("GET", "/healthz").status == 200  # the event loop is free
        held.set()
        assert [answer_of(each).status for each in waiting] == [200, 200]
        for each in waiting:
            each.close()


def test_a_client_that_leaves_is_not_worked_for(detector, held):
    with serving(detector, at_once=1) as served:
        content = wav(speech(24.0))
        leaving = [served.connect(served.head(len(content)) + content) for _ in range(3)]
        until(lambda: served.service.judging.pending == 3)
        for each in leaving:
            each.close()
        until(lambda: len(served.log) == 3)
        assert all(line["error"] == "client_left" for line in served.log)
        held.set()
        until(lambda: quiet(served))
        text = served.ask("GET", "/metrics").body.decode()
        assert "judged_sound_seconds_total 0.000" in text
        assert held.calls <= 12  # of 48 for each: those of the block of sound at hand


def test_an_answer_that_takes_too_long_is_a_503(detector, held):
    with serving(detector, request_seconds=0.2) as served:
        content = wav(speech(8.0))
        opened = served.connect(served.head(len(content)) + content)
        until(lambda: served.service.judging.pending == 1)
        time.sleep(0.3)
        held.set()
        answer = answer_of(opened)
        opened.close()
        assert (answer.status, answer.code) == (503, "took_too_long")


def test_a_token_is_asked_for_where_there_is_one(detector):
    with serving(detector, token=TOKEN) as served:
        for given in ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \xe9\xff"):
            for method, path in (
                ("POST", "/v1/judge"),
                ("GET", "/v1/detectors"),
                ("GET", "/metrics"),
            ):
                answer = served.ask(method, path, wav(), {**RAW, "Authorization": given})
                assert (answer.status, answer.code) == (401, "unauthorized")
                assert answer.headers["www-authenticate"] == "Bearer"
        assert served.judge(wav(), Authorization=f"Bearer {TOKEN}").status == 200
        for path in ("/", "/healthz", "/readyz"):
            assert served.ask("GET", path).status == 200
        assert TOKEN not in str(served.log)
        # Its name may be any: the token is what counts.
        answer = served.judge(wav(), Authorization=f"Bearer {TOKEN}", Host="judge.example.org")
        assert answer.status == 200


def test_without_a_token_pages_of_other_sites_get_nothing(detector):
    with serving(detector) as served:
        own = f"127.0.0.1:{served.port}"
        for headers, code in (
            ({"Host": "evil.example"}, "wrong_host"),
            ({"Host": f"evil.example:{served.port}"}, "wrong_host"),
            ({"Host": "127.0.0.1.evil.example"}, "wrong_host"),
            ({"Host": ""}, "wrong_host"),
            ({"Origin": "https://evil.example"}, "cross_site"),
            ({"Origin": "null"}, "cross_site"),
            ({"Origin": "http://127.0.0.1:1"}, "cross_site"),
        ):
            answer = served.judge(wav(), **headers)
            assert (answer.status, answer.code) == (403, code)
        for headers in (
            {"Origin": f"http://{own}"},
            {"Host": "localhost"},
            {"Host": f"[::1]:{served.port}"},
        ):
            assert served.judge(wav(), **headers).status == 200


def test_an_address_that_others_reach_needs_a_token_and_a_good_one():
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.org"):
        with pytest.raises(ValueError, match="needs a token"):
            ServeSettings(host=host)
        ServeSettings(host=host, token=TOKEN)
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        ServeSettings(host=host)
    for token in ("short", "a token with blanks", "0123456789abcdef/=", "\xe9" * 20):
        with pytest.raises(ValueError, match="at least 16"):
            ServeSettings(token=token)


def test_nothing_of_an_upload_stays_after_a_kill_and_term_lets_requests_end(detector, tmp_path):
    """One is killed within an upload, one is asked to end within a request."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    for sign in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, MAIN, "serve", "--port", "0", "--detector", detector],
            env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        port = int(process.stdout.readline().rpartition(":")[2])
        content = wav(speech(30.0))
        head = (
            f"POST /v1/judge HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        until(lambda port=port: is_ready(port))
        with socket.create_connection(("127.0.0.1", port), timeout=LONG) as opened:
            opened.sendall(head.encode() + content[:-100])
            until(lambda process=process: spooled(process.pid, folder) > 1 << 20)
            assert not list(folder.rglob("*")), "it has a name"
            process.send_signal(sign)
            if sign == signal.SIGTERM:
                opened.sendall(content[-100:])
                assert answer_of(opened).status == 200
        process.communicate(timeout=LONG)
        assert process.returncode == (-signal.SIGKILL if sign == signal.SIGKILL else 0)
        assert not list(folder.rglob("*"))


def is_ready(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as opened:
        opened.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return answer_of(opened).status == 200


def spooled(pid: int, folder: Path) -> int:
    """The size of the largest open file of a process that was below a folder."""
    found = [0]
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(handle).startswith(str(folder)):
                found.append(handle.stat().st_size)
        except FileNotFoundError:
            continue
    return max(found)


def test_the_limit_itself_is_not_too_long():
    """Samples are counted: seconds would add up to a little more."""
    settings = ServeSettings(max_seconds=60)
    blocks = [np.zeros(100, np.float32)] * 9600
    assert len(list(Patience(settings).watch(blocks))) == 9600
    with pytest.raises(ApiError, match="recordings up to 1 min"):
        list(Patience(settings).watch([*blocks, blocks[0][:1]]))
