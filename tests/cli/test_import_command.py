"""`import`: a detector folder from a published file, its polarity given or verified."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from golden_names import close
from kept_files import golden_path
from published_files import published_aasist, saved
from torch import Tensor

from amsdf.cli.main import main
from amsdf.detector import published
from amsdf.detector.detector import Detector
from amsdf.scoring.score_files.folder import read_folder
from amsdf.testing import REPEATED, waveforms

NUM_CLIPS = 4


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(published_aasist("aasist-l"), tmp_path_factory.mktemp("published"), "M1.pth")


@pytest.fixture(scope="module")
def known(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Manifests of known clips: `right` says class 1, `wrong` class 0, `unclear` nothing."""
    folder = tmp_path_factory.mktemp("clips")
    sounds = waveforms(NUM_CLIPS, 64_600)
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"{number}.wav", sound.numpy(), 16_000, subtype="FLOAT")
    with torch.no_grad():
        scores: Tensor = published.load(file).score(sounds)
    order = scores.argsort(descending=True).tolist()
    classes = {"right": order[:2], "wrong": order[2:], "unclear": [order[0], order[3]]}
    listed = {name: manifest(folder, bonafide, name) for name, bonafide in classes.items()}
    return {**listed, "file": str(file)}


def manifest(folder: Path, bonafide: list[int], name: str) -> str:
    lines = [
        f"{number}.wav,{'bonafide' if number in bonafide else 'spoof'}"
        for number in range(NUM_CLIPS)
    ]
    path = folder / f"{name}.csv"
    path.write_text("path,label\n" + "\n".join(lines) + "\n")
    return str(path)


def origin(folder: Path) -> dict[str, object]:
    return json.loads((folder / "origin.json").read_text())


def score(folder: Path) -> Tensor:
    with torch.no_grad():
        return Detector.from_pretrained(folder).score(waveforms(2, 16_000))


def test_folder_says_where_it_comes_from(file, tmp_path, capsys) -> None:
    out = tmp_path / "M1"
    assert main(["import", str(file), str(out)]) == 0
    printed = capsys.readouterr().out
    assert "AASIST, 85,306 parameters" in printed
    assert "class 1 is bona fide (as published)" in printed and str(out) in printed
    assert origin(out) == {
        "file": "M1.pth",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "family": "AASIST",
        "bonafide_class": 1,
    }
    assert Detector.from_pretrained(out).experiment.name == "M1"
    with torch.no_grad():
        close(score(out), published.load(file).score(waveforms(2, 16_000)), REPEATED)


def test_given_class_is_swapped_once(file, tmp_path) -> None:
    assert main(["import", str(file), str(tmp_path / "one")]) == 0
    assert main(["import", str(file), str(tmp_path / "zero"), "--bonafide-class", "0"]) == 0
    close(score(tmp_path / "zero"), -score(tmp_path / "one"), REPEATED)
    assert origin(tmp_path / "zero")["bonafide_class"] == 0


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [("right", [], 1), ("wrong", [], 0), ("wrong", ["--bonafide-class", "0"], 0)],
)
def test_known_clips_choose_or_confirm(name, flags, expected, known, tmp_path) -> None:
    out = tmp_path / "out"
    words = ["import", known["file"], str(out), "--verify", known[name], *flags]
    assert main(words) == 0
    assert origin(out)["bonafide_class"] == expected


def test_verified_detector_is_evaluated_like_ours(known, tmp_path, capsys) -> None:
    """Clips that say class 0: both areas are printed, and the folder then ranks them right."""
    out = str(tmp_path / "out")
    assert main(["import", known["file"], out, "--verify", known["wrong"]]) == 0
    printed = capsys.readouterr().out
    assert "(2 bona fide, 2 spoof): 0.000 if class 1 is bona fide, 1.000 if class 0 is" in printed
    assert "warning: 4 clips are few" in printed
    assert "class 0 is bona fide (verified on 4 clips)" in printed
    scores = tmp_path / "scores"
    words = ["eval", "--detector", out, "--on", known["wrong"], "--out", str(scores), "--quiet"]
    assert main(words) == 0
    (tables,) = read_folder(scores)
    bonafide = tables.table["label"] == 1
    found = tables.table["score"]
    assert found.filter(bonafide).min() > found.filter(~bonafide).max()
    assert main(["score", str(Path(known["wrong"]).parent / "0.wav"), "--detector", out]) == 0


def test_clips_that_contradict_refuse(known, tmp_path, capsys) -> None:
    """Trap 'exit 0 after failure': status 2, one line, nothing written."""
    flags = ["--verify", known["right"], "--bonafide-class", "0"]
    assert main(["import", known["file"], str(tmp_path / "out"), *flags]) == 2
    error = capsys.readouterr().err
    assert "--bonafide-class 0: the clips of" in error and "say 1;" in error
    assert error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_unclear_clips_change_nothing(known, tmp_path, capsys) -> None:
    words = ["import", known["file"], str(tmp_path / "out"), "--verify", known["unclear"]]
    assert main(words) == 0
    assert (
        "class 1 is bona fide (as published; the clips decide nothing)" in capsys.readouterr().out
    )


def test_amsdf_with_unclear_clips_is_refused(tmp_path, capsys) -> None:
    """Nothing else says its polarity."""
    sound = np.sin(np.arange(64_600) / 9).astype(np.float32)
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", sound, 16_000, subtype="FLOAT")
    listed = tmp_path / "same.csv"
    listed.write_text("path,label\na.wav,bonafide\nb.wav,spoof\n")
    path = str(golden_path("amsdf_full_tiny_ckpt.pth"))
    assert main(["import", path, str(tmp_path / "out"), "--verify", str(listed)]) == 2
    error = capsys.readouterr().err
    assert "both polarities do about as well on these clips" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_amsdf_without_a_class_is_refused(tmp_path, capsys) -> None:
    path = str(golden_path("amsdf_full_tiny_ckpt.pth"))
    assert main(["import", path, str(tmp_path / "out")]) == 2
    assert "give --bonafide-class 0 or 1, or let `import --verify" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_is_not_overwritten(kind, file, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    precious = out / "precious" if kind == "folder" else out
    precious.write_text("work of weeks")
    assert main(["import", str(file), str(out)]) == 2
    assert "exists and is not an empty folder; give another OUT" in capsys.readouterr().err
    assert precious.read_text() == "work of weeks"


def test_empty_folder_is_taken(file, tmp_path) -> None:
    assert main(["import", str(file), str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "experiment.yaml",
        "model.safetensors",
        "origin.json",
    ]


def test_unreadable_clip_stops_the_verification(file, known, tmp_path, capsys) -> None:
    folder = Path(known["right"]).parent
    (folder / "broken.wav").write_bytes(b"RIFF")
    (folder / "broken.csv").write_text("path,label\n0.wav,bonafide\nbroken.wav,spoof\n")
    flags = ["--verify", str(folder / "broken.csv")]
    assert main(["import", str(file), str(tmp_path / "out"), *flags]) == 2
    assert "broken.wav" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_speech_model_that_is_not_wanted(file, tmp_path, capsys) -> None:
    assert main(["import", str(file), str(tmp_path / "out"), "--ssl", "xlsr2_300m.pt"]) == 2
    assert "AASIST has no speech model; leave out --ssl xlsr2_300m.pt" in capsys.readouterr().err
