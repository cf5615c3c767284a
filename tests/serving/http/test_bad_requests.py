"""What cannot be judged, over real HTTP: one shape of error, one line of log, and it goes on."""

import io
import struct
import zipfile

import numpy as np
import pytest
from command_line import calibrated_detector
from served import FORM, answer_of, form, serving, until, wav
from toy_sounds import speech

from amsdf.contracts import SAMPLE_RATE


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("served") / "mine")


@pytest.fixture(scope="module")
def service(detector):
    with serving(detector, max_upload_bytes=20_000_000, max_seconds=60) as served:
        yield served


@pytest.fixture(autouse=True)
def goes_on(service):
    """Whatever was sent, a good request is answered after it, and each had one line."""
    service.log.clear()
    yield
    until(lambda: service.service.uploads.open == service.service.judging.pending == 0)
    noted = [line for line in service.log if line["status"] >= 400]
    assert all(line["error"] for line in noted) and len({line["id"] for line in noted}) == len(
        noted
    )
    assert service.judge(wav()).status == 200


def hours_of_nothing() -> bytes:
    head = wav(np.zeros(1), subtype="PCM_16")
    return head[:4] + struct.pack("<I", 0x7FFFFFF0) + head[8:40] + struct.pack("<I", 0x7FFFFF00)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("call.wav", wav())
    return file.getvalue()


NOT_SOUND = {
    "zip": zipped(),
    "text": b"hello " * 1000,
    "null": bytes(100_000),
    "header": wav()[:44],
    "half a header": wav()[:20],
    "not a number": wav(np.float32([0.1, np.nan] * 8000)),
    "infinite": wav(np.float32([0.1, np.inf] * 8000)),
    "digital silence": wav(np.zeros(16000)),
    "no samples": wav(np.zeros(0)),
    "hours announced": hours_of_nothing(),
}


@pytest.mark.parametrize("kind", NOT_SOUND)
def test_what_is_no_recording_is_refused(service, kind):
    for answer in (
        service.judge(NOT_SOUND[kind]),
        service.ask("POST", "/v1/judge", form(NOT_SOUND[kind]), FORM),
    ):
        assert (answer.status, answer.code) == (422, "unusable_recording"), answer.body
    until(lambda: len(service.log) == 2)  # a line is written behind the answer


def test_a_wav_that_announces_hours_is_judged_by_what_is_there_and_says_so(service):
    whole = bytearray(wav(subtype="PCM_16"))
    whole[40:44] = struct.pack("<I", 0x70000000)
    answer = service.judge(bytes(whole))
    assert answer.status == 200 and answer.json["seconds"] == 2.0
    assert any("cut off" in warning for warning in answer.json["warnings"])


def test_nearly_silent_sound_has_the_verdict_cannot_tell(service):
    sound = 1e-4 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE)
    assert service.judge(wav(sound)).json["decision"] == "cannot tell"


@pytest.mark.parametrize("size", [1, 400])
def test_a_list_of_other_files_opens_none(service, tmp_path, size):
    """Playlists of every kind that FFmpeg knows, of a good recording and of an address."""
    good = tmp_path / "good.wav"
    good.write_bytes(wav())
    with service.connect() as elsewhere:  # stands for an address that must not be asked
        address = f"http://127.0.0.1:{elsewhere.getpeername()[1]}/called"
        for target in (str(good), address):
            for text in (
                f"ffconcat version 1.0\nfile '{target}'\n",
                f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
                f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\na={target}\n",
                f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
                f'<?xml version="1.0"?><MPD><BaseURL>{target}</BaseURL></MPD>',
                f"file:{target}\n",
            ):
                answer = service.judge(text.encode() * size)
                assert (answer.status, answer.code) == (422, "unusable_recording"), text
    assert not any(line["method"] == "GET" for line in service.log)


def test_a_name_of_a_client_is_nothing(service):
    for name in (
        "../../etc/passwd",
        "/etc/passwd",
        "..\\x.wav",
        "a" * 5000,
        "x\x00.wav",
        "%2e%2e/",
    ):
        assert service.ask("POST", "/v1/judge", form(wav(), name), FORM).status == 200
    assert "passwd" not in str(service.log)


def test_an_empty_body_is_refused(service):
    assert service.judge(b"").code == "empty"
    assert service.ask("POST", "/v1/judge", form(b""), FORM).code == "empty"


def test_other_kinds_of_content_are_refused(service):
    for kind in (
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "image/png",
    ):
        answer = service.ask("POST", "/v1/judge", b'{"file": ', {"Content-Type": kind})
        assert (answer.status, answer.code) == (415, "wrong_content_type")
    assert service.judge(wav(), Content_Encoding="gzip").status == 415


def test_broken_forms_are_refused(service):
    whole = form(wav())
    for body, kind, code in (
        (whole[:-10], FORM["Content-Type"], "bad_form"),
        (whole, "multipart/form-data", "bad_form"),
        (whole, "multipart/form-data; boundary=other", "bad_form"),
        (b"--xYz", FORM["Content-Type"], "bad_form"),
        (b"--xYzjunk\r\n", FORM["Content-Type"], "bad_form"),
        (b"--xYz\r\n" + b"x" * 10_000, FORM["Content-Type"], "bad_form"),
        (b"", FORM["Content-Type"], "bad_form"),
        (form(wav(), field="other"), FORM["Content-Type"], "no_file"),
        (whole[:-9] + whole, FORM["Content-Type"], "two_files"),
    ):
        answer = service.ask("POST", "/v1/judge", body, {"Content-Type": kind})
        assert answer.code == code and answer.status in (400, 422), (body[:50], answer)


def test_addresses_methods_and_parameters_that_do_not_exist(service):
    assert service.ask("GET", "/v2/judge").code == "not_found"
    assert service.ask("GET", "/v1/judge").code == "method_not_allowed"
    assert service.ask("DELETE", "/").code == "method_not_allowed"
    assert service.judge(wav(), f"?detector={'x' * 300}").code == "bad_request"
    assert service.judge(wav(), "?detector=%00%ff").code == "unknown_detector"
    with service.connect(b"NONSENSE\r\n\r\n") as opened:
        assert answer_of(opened).code == "bad_http"
    service.log.pop()  # it has no id


def test_a_recording_longer_than_the_limit_is_refused_while_it_is_read(service):
    answer = service.judge(wav(np.tile(speech(1.0), 70), format="FLAC", subtype="PCM_16"))
    assert (answer.status, answer.code) == (413, "too_long")


def test_two_gigabytes_claimed_are_refused_before_they_are_sent(service):
    with service.connect(service.head(2_000_000_000) + b"RI") as opened:
        answer = answer_of(opened)
    assert (answer.status, answer.code) == (413, "too_large")


def test_a_body_without_a_length_is_refused_where_it_passes_the_limit(service):
    """The client sees the answer, although it was still sending when it was decided."""
    chunks = (bytes(1 << 20) for _ in range(40))
    answer = service.ask("POST", "/v1/judge", chunks, {})
    assert (answer.status, answer.code) == (413, "too_large")
    answer = service.ask("POST", "/v1/judge", chunks, {"Connection": "close"})
    assert answer.status == 422  # nothing is left of them
    answer = service.judge(bytes(30_000_000), Connection="close")
    assert (answer.status, answer.code) == (413, "too_large")


def test_a_client_that_waits_for_a_word_before_it_sends_is_refused_at_once(service):
    head = service.head(2_000_000_000, "Expect: 100-continue\r\n")
    with service.connect(head) as opened:
        assert answer_of(opened).code == "too_large"
    content = wav()
    with service.connect(service.head(len(content), "Expect: 100-continue\r\n")) as opened:
        assert opened.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"[:25]
        opened.sendall(content)
        assert b"200 OK" in opened.recv(1000)
