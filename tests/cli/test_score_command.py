"""`amsdf score`: what it takes, what it says of the rest, what it never writes over."""

import os
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from command_line import SMALL, amsdf, files_below, refused, toy_detector
from toys import tone, write_wav

from amsdf.scoring.score_files.table import read_scores


@pytest.fixture(scope="module")
def detectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors")
    toy_detector(folder / "plain", **SMALL)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "in/good.wav", tone(120))
    return tmp_path


def score(capsys, detectors, *words):
    return amsdf(capsys, "score", *words, "--detector", detectors / "plain")


def film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            tone(200).astype(np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def test_one_suspicious_recording_of_any_kind(capsys, place, detectors):
    """Whatever decoders read, by any name; what they do not is no traceback."""
    soundfile.write("mac.aiff", tone(100), 16_000)
    film(place / "phone.mov")
    shutil.copy("in/good.wav", "no-suffix")
    shutil.copy("in/good.wav", "odd.sound")
    for name in ("mac.aiff", "phone.mov", "no-suffix", "odd.sound"):
        done = score(capsys, detectors, name)
        assert done.status == 0 and f"{name}: Cannot tell" in done.out, done.err
    assert score(capsys, detectors, ".").out.count(": Cannot tell") == 3, "those named as sound"
    (place / "note.doc").write_text("once upon a time")
    line = refused(capsys, "score", "note.doc", "--detector", detectors / "plain")
    assert "note.doc: cannot be decoded" in line


def test_what_else_lies_in_a_folder_is_said(capsys, place, detectors):
    for name in ("a.txt", "b.TXT", "c", ".hidden"):
        (place / "in" / name).write_text("x")
    done = score(capsys, detectors, "in")
    assert "# 3 other files in in left out (.txt, no suffix)\n" in done.out
    assert "left out" not in score(capsys, detectors, "in/good.wav").out


def test_linked_folders_are_entered_once(capsys, place, detectors):
    write_wav(place / "far/away.wav", tone(150))
    (place / "in/link").symlink_to(place / "far")
    (place / "far/back").symlink_to(place / "in")
    done = score(capsys, detectors, "in")
    assert done.status == 0 and "link/away.wav: Cannot tell" in done.out
    assert done.out.count(": Cannot tell") == 2


def test_a_folder_that_cannot_be_read_is_named(capsys, place, detectors, monkeypatch):
    (place / "in/shut").mkdir()
    scandir = os.scandir

    def shut(folder):
        if str(folder).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", shut)
    line = refused(capsys, "score", "in", "--detector", detectors / "plain")
    assert "in/shut: Permission denied; make the folder readable, or move it away" in line


def test_a_name_that_is_no_text_is_named(capsys, place, detectors):
    with open(os.fsencode(place / "in") + b"/caf\xe9.wav", "wb") as file:
        file.write((place / "in/good.wav").read_bytes())
    line = refused(capsys, "score", "in", "--detector", detectors / "plain")
    assert "in/caf\\udce9.wav': its name is not UTF-8; rename it" in line


def test_a_recording_given_twice_is_judged_once(capsys, place, detectors):
    write_wav(place / "in/more.wav", tone(90))
    done = score(capsys, detectors, "in/good.wav", "in", "--out", "out.tsv")
    assert done.status == 0 and done.out.count(": Cannot tell") == 2, done.err
    assert len(read_scores(place / "out.tsv")) == 2
    rows = "utt,path,start,end\na,in/good.wav,0,0.5\nb,in/good.wav,0,0.5\n"
    (place / "parts.csv").write_text(rows)
    assert score(capsys, detectors, "parts.csv").out.count(": Cannot tell") == 2, (
        "two ids, two trials"
    )


def test_out_writes_over_nothing_but_scores(capsys, place, detectors):
    (place / "table.csv").write_text("path\nin/good.wav\n")
    before = files_below(place)
    for out in ("in/good.wav", "table.csv"):
        line = refused(capsys, "score", "in", "--detector", detectors / "plain", "--out", out)
        assert f"{out}: exists and " in line and "; give another --out" in line
    assert files_below(place) == before
    (place / "empty.tsv").touch()
    for out in ("new.tsv", "new.tsv", "empty.tsv"):
        assert score(capsys, detectors, "in", "--out", out).status == 0
        assert read_scores(place / out).header["scored"] == "1"


def test_without_calibration_the_remedy_is_named(capsys, place, detectors):
    done = score(capsys, detectors, "in", "--threshold", "eer")
    assert "# --threshold eer has no effect: no calibration, so no threshold\n" in done.out
    assert "scores only rank; fit one:\n#   import a published file, then eval --cal" in done.out
    assert "has no effect" not in score(capsys, detectors, "in").out


def test_a_long_recording_is_explained_where_it_looks_worst(capsys, place, tmp_path):
    windows = toy_detector(tmp_path / "windows", score={"parts": "windows"}, **SMALL)
    write_wav(place / "long.wav", np.concatenate([tone(100), tone(230, 1.0, 0.5, 3)]))
    done = amsdf(capsys, "score", "long.wav", "--detector", windows, "--explain", "--verbose")
    assert done.status == 0, done.err
    lowest = done.out.split("the lowest score ")[1].split(" is at ")[1].split(" s")[0]
    assert f"  what moves the score from {lowest} to " in done.out
    assert re.search(r"\n    \d\.\d\d-\d\.\d\d s: speaks for (fake|real) \(\+\d", done.out)
    assert re.search(r"\n    1-2 kHz: speaks for (fake|real) \(\+\d", done.out)
