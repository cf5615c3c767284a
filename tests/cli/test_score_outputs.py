"""`amsdf score` as people and scripts see it: transcripts, formats, resuming, pictures."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import SMALL, amsdf, files_below, refused, toy_detector
from toy_sounds import no_speech, speech
from toys import tone, toy_experiment, write_wav

from amsdf.cli import score as command
from amsdf.detector.detector import Detector
from amsdf.detector.inference.windows import describe_rule
from amsdf.scoring.calibration.calibration import FILE
from amsdf.scoring.calibration.fits import fit_logistic
from amsdf.scoring.score_files.table import read_scores

WINDOWS = {"clip": {"samples": 8000}, "score": {"parts": "windows"}}


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A calibrated detector to which our made-up speech is real or fake, by its seed."""
    folder = toy_detector(tmp_path_factory.mktemp("detectors") / "toy", **SMALL, **WINDOWS)
    scores = [score_of(folder, seed) for seed in range(8)]
    middle = sorted(scores)[4]
    calibration = fit_logistic(
        [middle + 0.01 * step for step in range(1, 9)],
        [middle - 0.01 * step for step in range(1, 9)],
    )
    rule = describe_rule(toy_experiment(**WINDOWS))
    (folder / FILE).write_text(replace(calibration, rule=rule).to_json())
    return folder


def score_of(folder: Path, seed: int) -> float:
    return float(Detector.from_pretrained(folder).score(speech(3.0, seed)[None])[0])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two recordings of speech, music, something short, and two files that are no recordings."""
    monkeypatch.chdir(tmp_path)
    for seed in range(2):
        write_wav(tmp_path / f"in/speech{seed}.wav", speech(3.0, seed))
    write_wav(tmp_path / "in/music.wav", no_speech("a band", 2.0))
    write_wav(tmp_path / "in/blip.wav", speech(0.3))
    (tmp_path / "in/text.wav").write_text("ffconcat version 1.0\nfile speech0.wav\n")
    (tmp_path / "in/zero.mp3").touch()
    return tmp_path


def score(capsys, detector, *words):
    return amsdf(capsys, "score", *words, "--detector", detector)


def test_a_folder_is_a_line_a_file_and_a_summary(capsys, place, detector):
    done = score(capsys, detector, "in")
    assert done.status == 1 and done.err == ""
    lines = done.out.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        *("blip.wav", "music.wav", "speech0.wav", "speech1.wav", "text.wav", "zero.mp3")
    ]
    assert lines[0] == "blip.wav: Cannot tell. The recording lasts 0.30 s; 1 s of speech is needed."
    assert lines[1] == "music.wav: Cannot tell. No speech is found in the recording."
    assert lines[4].startswith("text.wav: cannot be decoded (")
    assert lines[5] == "zero.mp3: has zero bytes; copy or download it again"
    counts = [part.split(" ", 1) for part in lines[-1].split(": ")[1].split(", ")]
    assert lines[-1].startswith("6 recordings: ") and counts[3] == ["2", "failed"]
    assert sum(int(count) for count, _ in counts) == 6


def test_one_recording_is_a_text_without_figures(capsys, place, detector):
    done = score(capsys, detector, "in/speech0.wav")
    assert done.status == 0 and done.err == ""
    assert "operating point" not in done.out and "recordings:" not in done.out
    verbose = score(capsys, detector, "in/speech0.wav", "--verbose").out
    assert verbose.startswith(done.out) and "  score " in verbose
    assert "operating point 'default': fake up to 0." in verbose


def test_json_is_one_object_for_one_recording_and_an_array_for_several(capsys, place, detector):
    one = json.loads(score(capsys, detector, "in/speech0.wav", "--json").out)
    assert one["path"] == str(place / "in/speech0.wav") and one["error"] is None
    assert one["decision"] in ("real", "fake", "cannot tell")
    assert 0 < one["probability"] < 1 and len(one["windows"]) == 11 and one["warnings"] == []

    done = score(capsys, detector, "in", "--json")
    several = json.loads(done.out)
    assert done.status == 1 and done.err == "" and len(several) == 6
    assert several[2] == one
    assert several[4]["decision"] is None and "cannot be decoded" in several[4]["error"]
    broken = score(capsys, detector, "in/zero.mp3", "--json")
    assert (
        broken.status == 2 and broken.err == "" and "zero bytes" in json.loads(broken.out)["error"]
    )


def test_the_evidence_is_for_people_and_for_scripts(capsys, place, detector):
    words = ("in/speech0.wav", "--explain")
    found = json.loads(score(capsys, detector, *words, "--json").out)["evidence"]
    assert {each["kind"] for each in found} == {"time", "band"}
    text = score(capsys, detector, *words).out
    assert text.count(" towards ") == sum(each["towards_fake"] != 0 for each in found)
    record = json.loads(score(capsys, detector, "in/zero.mp3", "--explain", "--json").out)
    assert "evidence" not in record


def test_json_lines_and_csv_say_the_same(capsys, place, detector):
    lines = score(capsys, detector, "in", "--jsonl").out.splitlines()
    rows = list(csv.DictReader(io.StringIO(score(capsys, detector, "in", "--csv").out)))
    for record, row in zip(map(json.loads, lines), rows, strict=True):
        assert record["path"] == row["path"] and (record["decision"] or "") == row["decision"]
        assert (record["error"] or "") == row["error"]
        if record["decision"]:
            assert record["score"] == pytest.approx(float(row["score"]))
            assert len(record["windows"]) == int(row["windows"])
    assert refused(capsys, "score", "in", "--csv", "--json", "--detector", detector)


def test_notes_do_not_disturb_a_script(capsys, place, tmp_path):
    plain = toy_detector(tmp_path / "plain", **SMALL)
    done = score(capsys, plain, "in/speech0.wav", "--json")
    found = json.loads(done.out)
    assert found["probability"] is None and found["decision"] == "cannot tell"
    assert found["reason"].startswith("The detector is not calibrated")
    assert done.err.startswith("# this detector has no calibration")


def test_standard_input_is_one_recording(capsys, place, detector, monkeypatch):
    content = (place / "in/speech0.wav").read_bytes()

    def pipe(data: bytes) -> None:
        monkeypatch.setattr(command.sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    pipe(content)
    found = json.loads(score(capsys, detector, "-", "--json").out)
    same = json.loads(score(capsys, detector, "in/speech0.wav", "--json").out)
    assert {**found, "path": same["path"]} == same and found["path"] == "-"
    for name in ("speech0", "music"):
        pipe((place / f"in/{name}.wav").read_bytes())
        found = json.loads(score(capsys, detector, "-", "--json", "--out", "out.json").out)
    assert found["reason"].startswith("No speech"), "it is another recording each time"
    pipe(b"no sound")
    line = refused(capsys, "score", "-", "--detector", detector)
    assert "standard input: cannot be decoded" in line
    line = refused(capsys, "score", "-", "in", "--detector", detector)
    assert "-: standard input is one recording; give it alone" in line


def test_patterns_and_lists_name_recordings(capsys, place, detector):
    assert score(capsys, detector, "in/speech*.wav").out.count("\nspeech1.wav: ") == 1
    assert "3 recordings: " in score(capsys, detector, "**/*[0c].wav", "in/blip.wav").out
    line = refused(capsys, "score", "in/*.ogg", "--detector", detector)
    assert "in/*.ogg: no file matches" in line

    (place / "calls.txt").write_text("# monday\nin/speech0.wav\n\nin/gone.wav\n")
    done = score(capsys, detector, "calls.txt")
    assert done.status == 1 and "in/gone.wav: no such file\n2 recordings: " in done.out
    (place / "in/names.lst").write_text("speech1.wav\n")
    assert score(capsys, detector, "in/names.lst").out.startswith("speech1.wav: ")
    (place / "calls.txt").write_text("# none\n")
    assert "lists no recording" in refused(capsys, "score", "calls.txt", "--detector", detector)
    (place / "calls.txt").write_bytes(b"\xff\xfe\x00")
    assert "is not a list of paths" in refused(capsys, "score", "calls.txt", "--detector", detector)


@pytest.mark.parametrize("out", ["out.csv", "out.json", "out.jsonl", "out.tsv"])
def test_what_is_unchanged_is_not_scored_again(capsys, place, detector, monkeypatch, out):
    first = score(capsys, detector, "in", "--out", out)
    written = (place / out).read_text()
    heard = listening(monkeypatch)
    again = score(capsys, detector, "in", "--out", out)
    assert (again.out, again.status) == (first.out, 1) and (place / out).read_text() == written
    assert heard == ["text.wav", "zero.mp3"], "what failed is tried again"

    heard.clear()
    write_wav(place / "in/speech1.wav", speech(3.0, 9))
    score(capsys, detector, "in", "--out", out)
    assert heard == ["speech1.wav", "text.wav", "zero.mp3"]
    heard.clear()
    score(capsys, detector, "in", "--out", out, "--threshold", "eer")
    assert len(heard) == 6, "another rule"
    if out.endswith(".tsv"):
        assert len(read_scores(place / out)) == 4


def listening(monkeypatch) -> list[str]:
    """The names of the files that are opened from here on."""
    heard = []
    opened = command.judge_recordings.__globals__["open_row"]

    def note(row, given=b""):
        heard.append(Path(row["path"]).name)
        return opened(row, given)

    monkeypatch.setitem(command.judge_recordings.__globals__, "open_row", note)
    return heard


def test_a_run_that_is_stopped_keeps_what_is_done(capsys, place, detector, monkeypatch):
    """Also half a line, which a kill may leave."""
    done = score(capsys, detector, "in", "--out", "out.csv", "--strict")
    assert done.status == 2 and "text.wav" in done.err
    assert len((place / "out.csv").read_text().splitlines()) == 6
    log = place / ".out.csv.verdicts.jsonl"
    log.write_text(log.read_text()[:-40])
    heard = listening(monkeypatch)
    (place / "in/text.wav").unlink()
    score(capsys, detector, "in", "--out", "out.csv")
    assert heard == ["speech1.wav", "zero.mp3"]
    heard.clear()
    score(capsys, detector, "in", "--out", "out.csv")
    assert heard == ["zero.mp3"]


def test_only_our_own_verdicts_are_written_over(capsys, place, detector):
    (place / "notes.csv").write_text("path\nin/speech0.wav\n")
    before = files_below(place)
    line = refused(capsys, "score", "in", "--detector", detector, "--out", "notes.csv")
    assert "notes.csv: exists and holds no verdicts of ours; give another --out" in line
    assert files_below(place) == before


def test_a_picture_of_the_verdict(capsys, place, detector):
    done = score(capsys, detector, "in/speech0.wav", "--plot", "out.png")
    assert done.status == 0 and (place / "out.png").read_bytes().startswith(b"\x89PNG")
    score(capsys, detector, "in/speech0.wav", "--plot", "out.svg")
    assert "speech0.wav" in (place / "out.svg").read_text()
    line = refused(capsys, "score", "in", "--detector", detector, "--plot", "out.png")
    assert "--plot draws one recording; 6 are given" in line
    line = refused(capsys, "score", "in/blip.wav", "--detector", detector, "--plot", "out.doc")
    assert "--plot out.doc: a picture is written as .png or .svg" in line


def test_without_a_detector_the_starter_is_looked_for(capsys, place, detector, monkeypatch):
    monkeypatch.setattr(command, "STARTER", "no-such-starter")
    line = refused(capsys, "score", "in/speech0.wav")
    assert "no detector 'no-such-starter' is found here; name one with --detector" in line
    monkeypatch.setattr(command, "STARTER", str(detector))
    assert amsdf(capsys, "score", "in/speech0.wav").status == 0


def test_a_long_recording_shows_how_far_it_is(capsys, place, detector, monkeypatch):
    monkeypatch.setattr(command, "_LONG", 1)
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True, raising=False)
    write_wav(place / "long.wav", tone(120, 3.0))
    done = score(capsys, detector, "long.wav", "--json")
    assert json.loads(done.out)["seconds"] == 3.0
