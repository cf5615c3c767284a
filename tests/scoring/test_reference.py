"""What a detector was trained on, in its embedding space; what is far from it."""

import numpy as np
import pytest
import torch
from command_line import SMALL, toy_detector
from toys import plan, toy_experiment, toy_manifest

from amsdf.detector.detector import Detector
from amsdf.scoring.calibration.calibrated_training import train_and_calibrate
from amsdf.scoring.calibration.calibration import read_calibration
from amsdf.scoring.judging.judge import load
from amsdf.scoring.reference import FILE, TrainingReference, embed_parts, fit_reference


def cloud(num: int, width: int, seed: int = 0) -> np.ndarray:
    """Embeddings of two classes with a few directions of their own."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(9).normal(size=(3, width))
    points = rng.normal(size=(num, 3)) @ axes + 0.05 * rng.normal(size=(num, width))
    return points + np.where(np.arange(num) % 2, 2.0, -2.0)[:, None] * axes[0]


@pytest.mark.parametrize("width", [2, 16, 300, 4000])
@pytest.mark.parametrize("num", [4, 40, 400])
def test_new_clips_are_near_and_strange_ones_far(width, num):
    reference = fit_reference(cloud(num, width), cloud(100, width, seed=1))
    assert len(reference.directions) <= min(32, max(1, num // 10))
    near, strange = cloud(200, width, seed=2), 10 * cloud(200, width, seed=3) + 50
    assert np.mean(reference.distance(near) > reference.threshold) < 0.1
    assert np.mean(reference.distance(strange) > reference.threshold) > 0.95


def test_without_dev_clips_the_threshold_has_a_margin():
    training = cloud(200, 16)
    reference = fit_reference(training)
    farthest = reference.distance(training).max()
    assert farthest < reference.threshold < 2 * farthest
    assert np.mean(reference.distance(cloud(500, 16, seed=4)) > reference.threshold) < 0.01


def test_equal_clips_divide_by_nothing():
    reference = fit_reference(np.ones((5, 8)), np.ones((3, 8)))
    assert reference.distance(np.ones((1, 8)))[0] == 0
    assert reference.distance(np.zeros((1, 8)))[0] > 1e3


def test_most_windows_decide():
    reference = fit_reference(cloud(50, 4), cloud(50, 4))
    far = float(reference.threshold) + 1
    assert reference.is_beyond([far, far, 0.0]) and not reference.is_beyond([far, 0.0])


def test_it_is_stored_and_read_back(tmp_path):
    assert TrainingReference.read(tmp_path) is None
    reference = fit_reference(cloud(30, 5))
    reference.save(tmp_path)
    again = TrainingReference.read(tmp_path)
    points = cloud(9, 5, seed=5)
    assert np.array_equal(again.distance(points), reference.distance(points))
    assert again.threshold == reference.threshold and isinstance(again.threshold, float)
    (tmp_path / FILE).write_bytes(b"no tensors")
    with pytest.raises(ValueError, match=r"reference\.safetensors: is not the reference"):
        TrainingReference.read(tmp_path)


def test_other_weights_do_not_inherit_it(tmp_path):
    folder = toy_detector(tmp_path / "d", **SMALL)
    fit_reference(cloud(9, 5)).save(folder)
    same = Detector.from_pretrained(folder)
    same.save_pretrained(folder)
    assert (folder / FILE).is_file()
    toy_detector(folder, seed=1, **SMALL)
    assert not (folder / FILE).exists() and list(folder.glob("reference.of-*.safetensors"))


def test_clips_that_cannot_be_read_are_left_out(tmp_path):
    manifest = toy_manifest(tmp_path / "toy", "train", 2)
    detector = Detector.build(toy_experiment(**SMALL, score={"parts": "windows"})).eval()
    assert len(embed_parts(detector, manifest)) > 4, "windows, not clips"
    (tmp_path / "toy/audio/train_0_spoof.wav").write_bytes(b"")
    assert embed_parts(detector, manifest).shape[1] == detector.head.embedding_dim
    for clip in (tmp_path / "toy/audio").glob("train*"):
        clip.write_bytes(b"")
    with pytest.raises(ValueError, match="toy/train: no clip can be read"):
        embed_parts(detector, manifest)


def test_training_leaves_a_calibration_and_a_reference(tmp_path):
    torch.manual_seed(0)
    experiment = toy_experiment(**SMALL, train={"epochs": 1}, score={"parts": "windows"})
    train_and_calibrate(experiment, plan(tmp_path, "run"))
    best = tmp_path / "run/best"
    judge = load(tmp_path / "run")
    assert judge.reference is not None and 0 < judge.reference.threshold < np.inf
    dev = read_calibration(best).dev
    assert dev.corpora == ("toy/dev",) and (dev.num_bonafide, dev.num_spoof) == (8, 8)
    assert dev.eer_low <= dev.eer <= dev.eer_high
