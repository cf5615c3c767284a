"""`amsdf live`: a growing stream, judged while it comes."""

import io
import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from command_line import amsdf, calibrated_detector, refused
from toy_sounds import speech
from toys import write_wav

from amsdf.scoring.judging.judge import load
from amsdf.serving.live.false_alarms import (
    FILE,
    AlarmRate,
    AlarmTable,
    CountedAlarms,
    Detection,
    detector_digest,
)

NONE = Detection(0, 0, None, None)
ALL_ALARMS = ("--alarm-at", "0.1")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("live") / "mine")


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
    assert any(line.endswith("100 % of an alarm") for line in lines)
    assert lines[-1].startswith("6.1 s of sound; 1 alarm; ")
    assert "\r" not in done.out and "\033" not in done.out, "a pipe gets plain lines"
    assert "how often real speech raises an alarm then was not measured" in done.err


def table_for(detector):
    """Two rates; of 1 alarm in half an hour, of 2."""
    judge = load(detector)
    rates = tuple(
        AlarmRate(float(limit), CountedAlarms(0, 2.0), CountedAlarms(alarms, 0.5), NONE)
        for limit, alarms in ((3, 2), (6, 1))
    )
    hop = judge.detector.experiment.clip.samples / 32_000
    return AlarmTable(detector_digest(judge), 0.25, 10.0, hop, rates)


def test_a_rate_of_false_alarms_is_looked_up_and_what_is_known_of_it_is_said(
    capsys, detector, clip, tmp_path
):
    words = ("live", clip, "--detector", detector)
    rate = "--false-alarms-per-hour"
    table_for(detector).write(detector / FILE)
    try:
        done = amsdf(capsys, *words, rate, "10")
        assert "1 alarm in 0.50 h of real speech: 2.0 an hour, below 9.5" in done.err
        assert "has added up to 6 (100 %)" in done.err
        assert "has added up to 3 (100 %)" in amsdf(capsys, *words, rate, "60").err
        assert "cannot show fewer than 9.5" in refused(capsys, *words, rate, "2")
        assert "were measured with 10" in refused(capsys, *words, rate, "30", "--span", "5")
        other = replace(table_for(detector), detector="0" * 12)
        other.write(tmp_path / "other.json")
        assert "other weights" in refused(capsys, *words, "--alarms", tmp_path / "other.json")
    finally:
        (detector / FILE).unlink()
    assert "no false alarms were measured" in refused(capsys, *words, rate, "30")


def test_false_alarms_are_measured_on_ones_own_speech(capsys, detector, clip, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(2):
        write_wav(folder / f"{number}.wav", speech(150.0, seed=number))
    words = ("live", "--detector", detector, "--measure", folder)
    (folder / "broken.wav").write_bytes(b"RIFF")
    done = amsdf(capsys, *words, "--alarms", tmp_path / "mine.json")
    assert done.status == 1 and "left out: " in done.err and "broken.wav" in done.err
    assert "other speakers" in done.out and AlarmTable.read(tmp_path / "mine.json").corpora
    used = amsdf(capsys, "live", clip, "--detector", detector, "--alarms", tmp_path / "mine.json")
    assert used.status == 0 and "of real speech" in used.err

    table_for(detector).write(detector / FILE)
    try:
        assert "is there; say where with --alarms FILE" in refused(capsys, *words)
    finally:
        (detector / FILE).unlink()
    assert "leave out SOURCE" in refused(capsys, *words, "--alarm-at", "3")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nowhere.wav",), "no such file"),
        (("-", "--follow"), "standard input is followed anyway"),
        (("-", "--raw", "mp3"), "raw format 'mp3'"),
        (("-", "--input", "alsa:hw:1"), "leave one out"),
        (("--raw", "s16le:16000"), "need a SOURCE"),
        (("-", "--every", "0"), "every 0.0: give seconds"),
        (("-", "--alarm-at", "0"), "alarm at 0: give an evidence"),
        (("-", "--alarm-at", "5", "--alarms", "x.json"), "give one of the two"),
        (("-", "--alarms", "x.json"), "x.json: no such file"),
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
