"""The same recording has the same score on every path, whatever the scoring rule."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from command_line import SMALL, amsdf, toy_detector
from toys import tone, toy_corpus, toy_experiment

from amsdf.audio import read_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows
from amsdf.scoring.judging.judge import load
from amsdf.scoring.score_files.table import read_scores
from amsdf.training.selection.validation import score_with_all_processes

LOW = {"parts": "windows", "hop": 0.3, "pool": "quantile", "quantile": 0.2}
RULES = {
    "first": {},
    "centre": {"clip": {"eval_crop": "centre", "short": "zero"}},
    "mean of windows": {"score": {"parts": "windows"}},
    "low quantile of windows": {"score": LOW},
    "whole": {"clip": {"samples": None}},
}
NAMES = ("long", "short", "one-clip", "stereo", "half-silent")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Recordings that rules treat in different ways, listed in a manifest."""
    place = tmp_path_factory.mktemp("one-score")
    sounds = {
        "long": np.concatenate([tone(120, 3.7), tone(230, 2.0, 0.5, 1)]),
        "short": tone(150, 0.2),
        "one-clip": tone(100, 0.5),
        "half-silent": np.concatenate([tone(180, 1.3), np.zeros(20_000)]),
    }
    for name, sound in sounds.items():
        soundfile.write(place / f"{name}.wav", sound, SAMPLE_RATE, subtype="FLOAT")
    time = np.arange(int(1.7 * 44_100)) / 44_100
    both = 0.3 * np.stack([np.sin(700 * time), np.sin(1100 * time)], axis=1)
    noise = np.random.default_rng(2).normal(0, 0.02, both.shape)
    soundfile.write(place / "stereo.wav", both + noise, 44_100, subtype="FLOAT")
    rows = [f"{name},{name}.wav,{label}" for name, label in zip(NAMES, "10101", strict=True)]
    words = {"1": "bonafide", "0": "spoof"}
    lines = [row[:-1] + words[row[-1]] for row in rows]
    (place / "manifest.csv").write_text("\n".join(["utt,path,label", *lines]) + "\n")
    return place


def scores_of_paths(place: Path, folder: Path, capsys) -> dict[str, list[float]]:
    """Way -> the scores of all recordings, in the order of `NAMES`."""
    files = [place / f"{name}.wav" for name in NAMES]
    manifest = read_manifest(place)
    detector, judge = Detector.from_pretrained(folder), load(folder)
    found = {"validation": score_with_all_processes(detector, manifest, 0).tolist()}
    for size in (1, 16):
        for workers in (0, 2):
            settings = ScoreSettings(size, workers)
            pairs = [
                pair
                for rows, scores, _ in score_rows(detector, manifest, range(5), settings)
                for pair in zip(rows, scores, strict=True)
            ]
            found[f"rows, {size} at once, {workers} workers"] = [s for _, s in sorted(pairs)]
        words = ("--detector", folder, "--batch-size", str(size))
        out = folder / f"by-{size}"
        assert amsdf(capsys, "eval", "--on", place, *words, "--out", out, "--quiet").status == 0
        (file,) = out.glob("*/*.tsv")
        found[f"eval, {size} at once"] = read_scores(file).table["score"].to_list()
        file = out / "score.tsv"
        assert amsdf(capsys, "score", place, *words, "--out", file).status == 0
        found[f"score, {size} at once"] = read_scores(file).table["score"].to_list()
    samples = [soundfile.read(file, dtype="float32") for file in files]
    found["path"] = [judge(file).score for file in files]
    found["bytes"] = [judge(file.read_bytes()).score for file in files]
    found["open file"] = [judge(io.BytesIO(file.read_bytes())).score for file in files]
    found["samples"] = [judge(sound.T, rate).score for sound, rate in samples]
    found["tensor"] = [judge(torch.from_numpy(sound), rate).score for sound, rate in samples]
    found["whole waveform"] = [float(detector.score(read_audio(file))) for file in files]
    return found


@pytest.mark.parametrize("rule", RULES)
def test_the_same_file_has_the_same_score_on_every_path(place, tmp_path, capsys, rule):
    folder = toy_detector(tmp_path / "d", **{**SMALL, **RULES[rule]})
    found = scores_of_paths(place, folder, capsys)
    for way, scores in found.items():
        assert scores == pytest.approx(found["path"], abs=1e-5), way
    assert len(set(found["path"])) == len(NAMES)


def test_a_batch_of_recordings_scores_like_each_alone(place):
    """`Detector.score` of padded recordings with their true lengths."""
    torch.manual_seed(0)
    for rule in RULES.values():
        detector = Detector.build(toy_experiment(**{**SMALL, **rule})).eval()
        waves = [torch.from_numpy(read_audio(place / f"{name}.wav")) for name in NAMES]
        padded = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True)
        together = detector.score(padded, torch.tensor([len(wave) for wave in waves]))
        alone = [float(detector.score(wave)) for wave in waves]
        assert together.tolist() == pytest.approx(alone, abs=1e-5)


def test_scores_of_another_rule_are_not_taken(tmp_path, capsys, monkeypatch):
    """The same weights listen to all of a recording: every clip is scored anew."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=2)
    detector = toy_detector(tmp_path / "detector", **SMALL)
    words = ("eval", "--detector", "detector", "--on", "toy/eval", "--quiet")
    file = tmp_path / "scores/detector/toy__eval.tsv"
    assert amsdf(capsys, *words).status == 0
    first = read_scores(file)
    experiment = detector / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("parts: first", "parts: windows"))
    assert amsdf(capsys, *words).status == 0
    windows = read_scores(file)
    assert windows.header["clip"].startswith("windows of 8000 samples")
    assert (windows.table["score"] - first.table["score"]).abs().min() > 0
