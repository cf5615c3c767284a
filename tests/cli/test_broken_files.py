"""One broken file never stops a folder or a corpus: it is named, and the rest goes on."""

import numpy as np
import pytest
import soundfile
from command_line import SMALL, amsdf, refused, toy_detector
from sound_files import cut_off, encode
from toys import tone, toy_corpus

from amsdf import load


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A small corpus, and a detector beside it."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=4)
    toy_detector(tmp_path / "detector", **SMALL)
    return tmp_path


def break_some(folder):
    """A cut m4a, a flac of which the header alone is there, a cut mp3."""
    sound = np.tile(tone(120), 3).astype(np.float32)[None]
    encode(folder / "cut.m4a", "aac", sound, 16_000)
    soundfile.write(folder / "header.flac", sound[0], 16_000)
    encode(folder / "cut.mp3", "libmp3lame", sound, 16_000)
    for name, share in (("cut.m4a", 0.6), ("header.flac", 0.002), ("cut.mp3", 0.6)):
        cut_off(folder / name, share)
    return ["cut.m4a", "header.flac", "cut.mp3"]


@pytest.fixture
def broken(place):
    """The training part of the corpus lists three broken files too."""
    names = break_some(place / "toy")
    table = place / "toy/manifest.csv"
    rows = [f"{name},{name},spoof,A01,train_s0,train" for name in names]
    table.write_text("\n".join([table.read_text().rstrip(), *rows]) + "\n")
    return names


def test_scoring_a_folder_goes_on(capsys, place):
    (place / "sounds").mkdir()
    names = break_some(place / "sounds")
    soundfile.write(place / "sounds/good.wav", tone(120), 16_000)
    done = amsdf(capsys, "score", "sounds", "--detector", "detector", "--out", "scores.tsv")
    assert done.status == 1 and "good" in (place / "scores.tsv").read_text()
    listed = (place / "scores.failed.tsv").read_text()
    assert all(f"{name}: " in listed for name in names[:2]), listed


def test_evaluation_goes_on(capsys, place, broken):
    done = amsdf(capsys, "eval", "--detector", "detector", "--on", "toy/train", "--out", "scores")
    assert done.status == 1 and "8 scored + 3 failed = 11 listed" in done.out, done
    listed = (place / "scores/failed.tsv").read_text()
    assert all(f"{name}: " in listed for name in broken), listed


def test_a_check_of_a_corpus_goes_on(capsys, place, broken):
    done = amsdf(capsys, "corpora", "check", "toy")
    assert done.status == 1 and "3 clips cannot be read: 'cut.m4a'" in done.out, done.out


def test_training_goes_on(capsys, place, broken):
    done = amsdf(
        *(capsys, "train", "--recipe", "demo", "--train", "toy/train", "--dev", "toy/dev"),
        *("--epochs", "1", "--set", "train.bad_clip_tolerance=3", "--out", "run", "--quiet"),
    )
    assert done.status == 1 and "3 training clips left out" in done.out, done
    assert all(name in (place / "run/failed.tsv").read_text() for name in broken)


def test_a_folder_without_sound_is_said(capsys, place):
    (place / "texts").mkdir()
    (place / "texts/a.txt").write_text("no sound")
    line = refused(capsys, "score", "texts", "--detector", "detector")
    assert "texts: holds no sound file" in line


@pytest.mark.parametrize("name", ["cut.wav", "cut.flac", "cut.mp3", "cut.ogg"])
def test_of_a_file_that_is_cut_off_the_rest_is_judged_with_a_warning(capsys, place, name):
    """The same from Python, of a path and of bytes."""
    soundfile.write(place / name, np.tile(tone(120), 6), 16_000)
    cut_off(place / name)
    done = amsdf(capsys, "score", name, "--detector", "detector")
    assert done.status == 0 and "Note: the file is cut off" in done.out, done
    judge = load(place / "detector")
    for given in (name, (place / name).read_bytes()):
        (warning,) = [note for note in judge(given).warnings if "cut off" in note]
        assert warning.startswith("the file is cut off")
