"""`amsdf live`: a growing stream, judged while it comes."""

import io
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from command_line import SMALL, amsdf, refused, toy_calibration, toy_detector
from toy_sounds import speech
from toys import write_wav

from amsdf.scoring.calibration.calibration import read_calibration
from amsdf.scoring.judging.judge import load
from amsdf.serving.live.alarm import AlarmPolicy
from amsdf.serving.live.false_alarms import FILE, AlarmRate, AlarmTable, CountedAlarms, Detection

NONE = Detection(0, 0, None, None)
ALL_ALARMS = ("--alarm-below", "0.9999", "--hold", "0.5")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = toy_detector(
        tmp_path_factory.mktemp("live") / "mine", **SMALL, score={"parts": "windows"}
    )
    noise = np.random.default_rng(0).normal(0, 0.1, 40)
    toy_calibration(folder, 0.1 + noise[:20], -0.1 + noise[20:])
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "it.wav"
    soundfile.write(path, speech(6.1), 16_000, subtype="FLOAT")
    return path


@pytest.fixture
def pipe(monkeypatch):
    """Give standard input some bytes."""

    def give(content: bytes):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def test_each_step_is_an_object_and_the_windows_are_those_of_score(capsys, detector, clip, pipe):
    pipe(clip.read_bytes())
    done = amsdf(capsys, "live", "-", "--detector", detector, "--jsonl")
    steps = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 0 and steps[0]["seconds"] == 0.25 and steps[-1]["seconds"] == 6.1
    whole = load(detector)(clip).windows
    found = [step["window"] for step in steps if step["window"]]
    assert [window["start"] for window in found] == [window.start for window in whole]
    gaps = [one["score"] - other.score for one, other in zip(found, whole, strict=True)]
    assert np.abs(gaps).max() < 1e-6


def test_raw_samples_from_a_pipe_are_judged_as_the_file(capsys, detector, clip, pipe):
    pipe(soundfile.read(clip, dtype="float32")[0].tobytes() + b"\x00")
    words = ("--detector", detector, "--jsonl")
    piped = amsdf(capsys, "live", "-", "--raw", "f32le:16000", *words)
    assert piped.status == 0
    assert piped.out == amsdf(capsys, "live", clip, *words).out


def test_people_get_a_line_a_window_alarms_and_a_summary(capsys, detector, clip):
    done = amsdf(capsys, "live", clip, "--detector", detector, *ALL_ALARMS)
    lines = done.out.splitlines()
    assert any("Alarm begins: sounds machine-made" in line for line in lines)
    assert lines[-1].startswith("6.1 s of sound; 1 alarm; ")
    assert "\r" not in done.out and "\033" not in done.out, "a pipe gets plain lines"
    assert "how often real speech does that was not measured" in done.err


def test_a_rate_of_false_alarms_is_looked_up_and_what_is_known_of_it_is_said(
    capsys, detector, clip
):
    weights = read_calibration(detector).weights
    rates = tuple(
        AlarmRate(30.0 * place, 0.5 / place, CountedAlarms(0, 2.0), CountedAlarms(place, 0.5), NONE)
        for place in (2, 1)
    )
    words = ("live", clip, "--detector", detector)
    hop = load(detector).detector.experiment.clip.samples / 32_000
    table = AlarmTable(weights, 0.25, 10.0, hop, 4.0, rates)
    try:
        table.write(detector / FILE)
        done = amsdf(capsys, *words, "--false-alarms-per-hour", "10")
        assert "1 alarms in 0.50 h of real speech: 2.0 an hour, below 9.5" in done.err
        assert "cannot show fewer than 9.5" in refused(
            capsys, *words, "--false-alarms-per-hour", "2"
        )
        assert "were measured with 10" in refused(
            capsys, *words, "--false-alarms-per-hour", "30", "--span", "5"
        )
        assert table.for_rate(10) == rates[1] and table.for_rate(60).checked.alarms == 1
        assert table.policy(rates[0]) == AlarmPolicy(0.25, 4.0)
    finally:
        (detector / FILE).unlink()
    assert "no false alarms were measured" in refused(
        capsys, *words, "--false-alarms-per-hour", "30"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nowhere.wav",), "no such file"),
        (("-", "--follow"), "standard input is followed anyway"),
        (("-", "--raw", "mp3"), "raw format 'mp3'"),
        (("-", "--input", "alsa:hw:1"), "leave one out"),
        (("--raw", "s16le:16000"), "need a SOURCE"),
        (("-", "--every", "0"), "every 0.0: give seconds"),
        (("-", "--alarm-below", "2"), "alarm threshold 2.0"),
        (("--input", "alsa:hw:99"), "no microphone can be opened"),
    ],
)
def test_what_cannot_be_heard_is_refused_in_one_line(capsys, detector, pipe, words, reason):
    pipe(b"")
    done = amsdf(capsys, "live", "--detector", detector, *words)
    assert done.status == 2 and reason in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_a_stream_without_sound_is_refused(capsys, detector, pipe):
    pipe(b"")
    done = amsdf(capsys, "live", "-", "--detector", detector)
    assert done.status == 2 and "standard input: cannot be read" in done.err


@pytest.mark.slow
def test_ctrl_c_ends_with_the_summary_and_status_0(detector, clip):
    with _started(detector) as process:
        process.stdin.write(clip.read_bytes())
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=120)[1]
    assert process.returncode == 0 and b"of sound; 0 alarms" in err and b"Traceback" not in err


@pytest.mark.slow
def test_a_reader_that_leaves_ends_it(detector, tmp_path):
    path = write_wav(tmp_path / "long.wav", speech(60.0))
    with _started(detector) as process:
        process.stdin.write(path.read_bytes())
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        assert process.wait(timeout=120) == 141
        assert b"Traceback" not in process.stderr.read()


def _started(detector):
    command = [sys.executable, "main.py", "live", "-", "--jsonl", "--detector", str(detector)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, **pipes)
