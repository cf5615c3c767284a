"""The detector in the box, on the recordings in the box: what `amsdf score FILE` says."""

import json
from pathlib import Path

import numpy as np
import pytest

import amsdf
from amsdf.audio.files.reading import read_audio
from amsdf.cli.main import main
from amsdf.detector.storage.loading import find_detector

SAMPLES = Path(amsdf.__file__).parent / "samples"
ONE_VOICE = SAMPLES / "one-voice" / "audio"


@pytest.fixture(scope="module")
def starter() -> amsdf.Judge:
    return amsdf.load("starter", device="cpu")


def read(*names: str) -> np.ndarray:
    return np.concatenate([read_audio(ONE_VOICE / f"{name}.flac") for name in names])


def test_real_recordings_are_not_called_fake(starter: amsdf.Judge) -> None:
    decisions = [starter(path).decision for path in sorted(ONE_VOICE.glob("ljspeech_??.flac"))]
    assert decisions.count("fake") == 0
    assert decisions.count("real") >= 12


def test_most_copies_are_not_called_real(starter: amsdf.Judge) -> None:
    fakes = sorted(ONE_VOICE.glob("ljspeech_??_*.flac"))
    decisions = [starter(path).decision for path in fakes]
    assert decisions.count("real") <= 4
    assert decisions.count("fake") >= 7


def test_loudness_does_not_matter(starter: amsdf.Judge) -> None:
    sound = read("ljspeech_13")
    quiet, loud = (starter(gain * sound, sampling_rate=16_000) for gain in (0.05, 2.0))
    assert loud.score == pytest.approx(quiet.score, abs=1e-3)


def test_a_fake_stretch_in_a_real_recording_is_found(starter: amsdf.Judge) -> None:
    real = read(*(f"ljspeech_{number:02d}" for number in (0, 1, 2, 3, 4, 5, 7, 8)))
    fake = read(*(f"ljspeech_{number:02d}_hifigan" for number in (2, 4, 6, 8)))
    whole = np.concatenate([real, fake, real, real])
    verdict = starter(whole, sampling_rate=16_000)
    assert verdict.decision != "real"
    begins, ends = len(real) / 16_000, (len(real) + len(fake)) / 16_000
    longest = max(verdict.flagged, key=lambda span: span.end - span.start)
    assert begins - 4 <= longest.start and longest.end <= ends + 4


def test_without_a_detector_the_starter_judges(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(ONE_VOICE / "ljspeech_06_hifigan.flac"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["decision"] == "fake" and said["detector"]["name"] == "starter"
    assert "yourtts" not in said["detector"]["trained_on"]


def test_it_promises_what_its_fakes_allow(capsys: pytest.CaptureFixture[str]) -> None:
    """It was calibrated on 205 fakes, each in nine conditions, which are no nine fakes."""
    clip = str(ONE_VOICE / "ljspeech_06_hifigan.flac")
    assert main(["score", clip, "--threshold", "far-1%"]) == 2
    assert "far-1% needs at least 299 fakes; calibrated on 205" in capsys.readouterr().err
    assert main(["score", clip, "--threshold", "far-5%"]) == 0


def test_its_folder_is_small_and_has_a_card() -> None:
    folder = find_detector("starter")[1]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 25_000_000
    card = (folder / "README.md").read_text("utf-8")
    for word in ("research tool", "train_starter.py", "CC BY", "LibriSpeech", "yourtts"):
        assert word in card, word
    calibration = amsdf.load("starter", device="cpu").calibration
    for name, cut in calibration.thresholds.items():
        assert f"| `{name}` | {cut:.4f} |" in card
