"""`amsdf_runtime.py`: one file, without torch, that gives the verdicts of `amsdf score`."""

import json
import subprocess
import sys
import venv

import numpy as np
import pytest
import soxr
from command_line import SMALL, toy_calibration, toy_detector
from toy_sounds import NO_SPEECH, no_speech, speech
from toys import write_wav

from amsdf.audio import resample
from amsdf.scoring.judging.judge import load
from amsdf.scoring.reference import fit_reference
from amsdf.serving.export import onnx_judge
from amsdf.serving.export.exporting import export
from amsdf.serving.export.resampling import resampled
from amsdf.serving.export.runtime import NAME, write_runtime

pytest.importorskip("onnxscript", reason="onnxscript is not installed")
#: Refuses what the runtime must do without, then runs it.
BLOCKED = """
import runpy, sys
for name in ("torch", "scipy", "soxr", "av", "polars", "pydantic", "amsdf", "transformers"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A calibrated detector with a reference, its export, and the runtime."""
    folder = tmp_path_factory.mktemp("runtime")
    made = toy_detector(folder / "toy", **SMALL, score={"parts": "windows", "pool": "quantile"})
    judge = load(made, device="cpu")
    scores = [judge(write_wav(folder / f"{n}.wav", speech(2.0, seed=n))).score for n in range(6)]
    spread = np.random.default_rng(0).normal(size=(2, 20)) * np.std(scores)
    toy_calibration(made, np.mean(scores) + spread[0], np.mean(scores) - 0.1 + spread[1])
    points = np.random.default_rng(0).normal(size=(40, judge.detector.head.embedding_dim))
    fit_reference(points).save(made)
    export(load(made, device="cpu"), folder / "toy.onnx")
    write_runtime(folder)
    return folder


def same(one, other):
    """Two verdicts, as plain values: equal but for the last digits of scores."""
    one, other = (dict(each) for each in (one, other))
    for key in ("score", "probability"):
        assert one.pop(key) == pytest.approx(other.pop(key), abs=1e-4), key
    for mine, theirs in zip(one.pop("windows"), other.pop("windows"), strict=True):
        assert list(mine.values()) == pytest.approx(list(theirs.values()), abs=1e-4)
    assert one == other


def run(place, *words, python=sys.executable):
    command = [python, "-c", BLOCKED, place / NAME, place / "toy.onnx", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def test_it_gives_the_verdict_of_score_without_torch(place):
    done = run(place, place / "1.wav", place / "2.wav", "--json")
    assert done.returncode == 0, done.stderr
    judge = load(place / "toy", device="cpu")
    for line, name in zip(done.stdout.splitlines(), ("1.wav", "2.wav"), strict=True):
        found = json.loads(line)
        assert found.pop("path") == str(place / name)
        same(found, json.loads(judge(place / name).to_json()))


def test_its_words_and_its_refusals(place):
    done = run(place, place / "1.wav")
    assert done.stdout.rstrip() == str(load(place / "toy", device="cpu")(place / "1.wav"))
    (place / "text.wav").write_text("no sound")
    silent = write_wav(place / "silent.wav", np.zeros(16_000))
    done = run(place, place / "text.wav", silent, place / "absent.wav", place / "1.wav")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 3
    assert "cannot be read" in done.stderr and "digital silence" in done.stderr
    assert run(place, place / "absent.wav").returncode == 2


@pytest.mark.parametrize("name", list(NO_SPEECH)[:3])
def test_it_cannot_tell_where_score_cannot(place, name):
    path = write_wav(place / f"{name}.wav", no_speech(name))
    found = onnx_judge.load(place / "toy.onnx")(path)
    wanted = load(place / "toy", device="cpu")(path)
    assert found.decision == "cannot tell" and found.reason == wanted.reason
    same(found.to_dict(), wanted.to_dict())


def test_what_is_unlike_the_training_is_told(place):
    """Embeddings of this detector are nothing like the made-up reference."""
    judge = onnx_judge.load(place / "toy.onnx")
    path = place / "1.wav"
    judge.knows["reference"]["threshold"] = 1e-3
    assert "unlike what the detector was trained on" in judge(path).reason
    judge.knows["reference"]["threshold"] = 1e9
    assert "unlike" not in judge(path).reason


def test_other_files_are_refused(place, tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        onnx_judge.load(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(ValueError, match="is no ONNX file that can be run"):
        onnx_judge.load(tmp_path / "text.onnx")


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_resampling_is_that_of_soxr(rate):
    sound = resample(speech(1.5), 16_000, rate)
    for samples in (sound, sound[: rate // 2 + 3], sound[:7]):
        wanted = soxr.resample(samples, rate, 16_000, quality="HQ")
        found = resampled(samples, rate)
        assert found.shape == wanted.shape
        difference = np.abs(found - wanted)[4:]  # soxr begins with a step for some rates
        assert difference.max(initial=0) < 5e-4 * np.abs(sound).max()


@pytest.mark.slow
def test_three_packages_are_enough(place, tmp_path):
    """A fresh environment of less than 200 MB."""
    venv.create(tmp_path / "own", with_pip=True)
    python = tmp_path / "own/bin/python"
    packages = ["onnxruntime", "numpy", "soundfile"]
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True, timeout=280)
    size = sum(file.stat().st_size for file in (tmp_path / "own").rglob("*") if file.is_file())
    assert size < 200e6
    done = run(place, place / "1.wav", "--json", python=python)
    assert json.loads(done.stdout)["seconds"] == pytest.approx(2.0)
