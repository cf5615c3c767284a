"""What a program asks and is answered, over real HTTP."""

import json
from dataclasses import fields
from threading import Event, Thread

import pytest
from command_line import calibrated_detector
from served import FORM, LONG, answer_of, form, serving, until, wav
from toy_sounds import speech

import amsdf
from amsdf.scoring.judging.verdict import Verdict, headline
from amsdf.serving.http.recordings import batching
from amsdf.serving.http.schema import Answer


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("served") / "mine")


@pytest.fixture(scope="module")
def service(detector):
    with serving(detector) as served:
        yield served


def close_to(found, wanted):
    """Whether a verdict of the service is that of `judge` to 1e-6."""
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        if isinstance(value, float):
            assert found[key] == pytest.approx(value, abs=1e-6), key
        elif key == "windows":
            for one, other in zip(found[key], value, strict=True):
                close_to(one, other)
        else:
            assert found[key] == json.loads(json.dumps(value)), key


def test_a_recording_has_the_verdict_of_judge_however_it_is_sent(service, detector):
    content = wav()
    verdict = amsdf.load(detector, device="cpu")(content)
    wanted = {**verdict.to_dict(), "headline": headline(verdict), "lines": verdict.lines()}
    for answer in (
        service.judge(content),
        service.judge(content, "?detector=mine"),
        service.ask("POST", "/v1/judge", content, {}),  # without a content-type
        service.ask("POST", "/v1/judge", form(content), FORM),
        service.ask("POST", "/v1/judge", iter([content[:9], content[9:]]), {}),  # chunked
        service.ask(
            "POST", "/v1/judge", form(wav(speech(2.0), format="FLAC", subtype="PCM_24")), FORM
        ),
    ):
        assert answer.status == 200, answer.body
        close_to(answer.json, wanted)
    assert service.judge(wav(format="FLAC", subtype="PCM_16")).json["seconds"] == 2.0


def test_a_recording_above_the_limit_of_memory_is_read_through_its_open_handle(service, detector):
    content = wav(speech(20.0))
    assert len(content) > 1 << 20
    close = amsdf.load(detector, device="cpu")(content).score
    assert service.judge(content).json["score"] == pytest.approx(close, abs=1e-6)
    assert service.ask("POST", "/v1/judge", form(content), FORM).json["score"] == pytest.approx(
        close, abs=1e-6
    )


@pytest.mark.parametrize("together", [0, 8])
def test_many_at_once_have_the_verdicts_that_each_has_alone(
    service, detector, together, monkeypatch
):
    """Also where windows of several requests are one batch, as on a GPU."""
    sizes, score = [], batching.score_parts

    def noted(detector, batch, settings):
        sizes.append(len(batch.parts))
        return score(detector, batch, settings)

    monkeypatch.setattr(batching, "score_parts", noted)
    monkeypatch.setitem(batching.MOST_TOGETHER, "cpu", together)
    judge = amsdf.load(detector, device="cpu")
    contents = [wav(speech(seconds, seed)) for seed, seconds in enumerate([0.3, 1.0, 2.3, 0.4] * 3)]
    answers = [None] * len(contents)

    def ask(place):
        answers[place] = service.judge(contents[place])

    threads = [Thread(target=ask, args=(place,)) for place in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for content, answer in zip(contents, answers, strict=True):
        verdict = judge(content)
        wanted = {**verdict.to_dict(), "headline": headline(verdict), "lines": verdict.lines()}
        close_to(answer.json, wanted)
    assert max(sizes) > 2 if together else max(sizes) <= 2


def test_a_batch_that_fails_is_scored_one_by_one(service, monkeypatch):
    """As where memory is enough for one recording and not for eight."""
    score, begun, held = batching.score_parts, Event(), Event()

    def small_only(detector, batch, settings):
        begun.set()
        assert held.wait(LONG)
        if len(batch.parts) > 2:
            raise RuntimeError("out of memory")
        return score(detector, batch, settings)

    monkeypatch.setattr(batching, "score_parts", small_only)
    monkeypatch.setitem(batching.MOST_TOGETHER, "cpu", 8)
    content = wav()
    request = service.head(len(content)) + content
    waiting = [service.connect(request)]
    assert begun.wait(LONG)  # the first one is scored alone; the others wait behind it
    waiting += [service.connect(request) for _ in range(3)]
    until(lambda: service.service.scorer.waiting == 3)
    held.set()
    for each in waiting:
        assert answer_of(each).status == 200
        each.close()


def test_the_schema_has_the_fields_of_a_verdict(service):
    ours = {"headline", "lines", "evidence", "explained"}
    assert set(Answer.model_fields) == {each.name for each in fields(Verdict)} | ours
    document = service.ask("GET", "/openapi.json").json
    found = document["paths"]["/v1/judge"]["post"]["responses"]
    Answer(**found["200"]["content"]["application/json"]["example"])
    for status in ("401", "413", "422", "429", "503"):
        example = found[status]["content"]["application/json"]["example"]
        assert sorted(example["error"]) == ["code", "message"]
    assert "/v1/detectors" in document["paths"] and "/healthz" in document["paths"]
    assert service.ask("GET", "/docs").code == "not_found"  # its page loads foreign scripts


def test_it_says_what_it_is_and_whether_it_is_ready(service):
    (mine,) = service.ask("GET", "/v1/detectors").json
    assert mine["name"] == "mine" and mine["default"] and mine["clip_seconds"] == 0.5
    assert mine["views"] == {"audio": "lfcc"} and mine["dev"]["num_spoof"] == 20
    assert service.ask("GET", "/healthz").json == {"status": "ok"}
    assert service.ask("GET", "/readyz").json == {"status": "ready"}


def test_two_detectors_answer_by_name(detector, tmp_path):
    other = calibrated_detector(tmp_path / "other")
    with serving(detector, detectors=(str(detector), str(other))) as served:
        named = [each["name"] for each in served.ask("GET", "/v1/detectors").json]
        assert named == ["mine", "other"]
        answers = [served.judge(wav(), f"?detector={name}").json for name in named]
        assert [answer["detector"]["name"] for answer in answers] == named
        assert served.judge(wav()).json["detector"]["name"] == "mine"
        assert served.judge(wav(), "?detector=none").code == "unknown_detector"


def test_metrics_count_requests_and_sound_and_no_label_comes_from_a_client(service):
    before = service.ask("GET", "/metrics").body.decode()
    service.judge(wav())
    service.ask("GET", "/secret-name")
    service.ask("BREW", "/healthz")
    text = service.ask("GET", "/metrics").body.decode()
    assert value(text, "judged_sound_seconds_total") == pytest.approx(
        value(before, "judged_sound_seconds_total") + 2.0
    )
    judged = 'requests_total{route="/v1/judge",status="200"}'
    assert value(text, judged) == (value(before, judged) if judged in before else 0) + 1
    assert 'le="+Inf"' in text and value(text, "recordings_pending") == 0
    assert "secret" not in text and "BREW" not in text


def value(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"amsdf_{name} ")]
    return float(line.split()[-1])


def test_every_request_is_one_line_of_the_log_without_content(service):
    service.log.clear()
    answer = service.ask("POST", "/v1/judge?detector=mine", form(wav(), "my-secret.wav"), FORM)
    until(lambda: service.log)
    (line,) = service.log
    assert line["id"] == answer.headers["x-request-id"] and line["bytes"] > 64_000
    assert sorted(line) == ["bytes", "id", "method", "ms", "route", "status", "time"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/judge", 200)
    service.ask("GET", "/my-secret?my-secret")
    until(lambda: len(service.log) == 2)
    assert service.log[-1]["route"] == "other" and "secret" not in json.dumps(service.log)


def test_the_page_may_load_only_what_comes_from_here(service):
    page = service.ask("GET", "/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert service.ask("GET", "/page.js").status == 200
    assert service.ask("GET", "/../app.py").code == "not_found"
    assert service.ask("GET", "/%2e%2e/http/app.py").code == "not_found"
    assert service.ask("GET", "/__init__.py").code == "not_found"
