"""The starter's training: what a clip counts, and a fit that separates what can be separated."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from command_line import SMALL, toy_detector

from amsdf.config import Experiment
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.metrics import eer
from amsdf.scoring.calibration.calibration import read_calibration
from amsdf.scoring.training_data import KnownCorpora, KnownCorpus

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import train_emotion
import train_starter
from starter_calibration import write_calibration
from starter_conditions import AUGMENTATION, CONDITIONS, prepared


def statistics(width: int) -> train_starter.Statistics:
    """Real and fake clips that differ in their first number; source b has three times as many."""
    draws = np.random.default_rng(0)
    labels = np.tile([0, 1], 100)
    values = draws.normal(size=(200, width)).astype(np.float32)
    values[:, 0] += 6 * labels
    sources = np.array(["a"] * 50 + ["b"] * 150)
    return train_starter.Statistics(values, labels, sources)


def test_classes_count_equally_and_sources_by_the_root_of_their_size() -> None:
    found = statistics(3)
    weights = train_starter.shares(found.labels, found.sources)
    of = {
        (label, source): weights[(found.labels == label) & (found.sources == source)].sum()
        for label in (0, 1)
        for source in "ab"
    }
    assert of[0, "a"] + of[0, "b"] == pytest.approx(of[1, "a"] + of[1, "b"])
    assert of[0, "b"] / of[0, "a"] == pytest.approx(3**0.5)
    assert weights.mean() == pytest.approx(1)


def test_the_fit_sets_head_and_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_starter, "DIRECTIONS", 10)
    monkeypatch.setattr(train_starter, "EMBEDDING", 4)
    wanted: dict[str, Any] = {
        "views": {"audio": {"encoder": "lfcc", "coefficients": 4, "deltas": 0}},
        "head": {"name": "statistics", "embedding_dim": 4},
        "loss": {"name": "cross-entropy", "weights": None},
    }
    detector = Detector.build(Experiment.parse(wanted)).eval()
    found = statistics(12)
    train_starter.fit_detector(detector, found, seed=1)
    scores = train_starter.scores_of(detector, found)
    assert eer(scores[found.labels == 1], scores[found.labels == 0]).rate < 0.05

    embedded = train_starter.embed(detector, found)
    others = embedded[:, 1:] - embedded[:, 1:].mean(dim=0)
    assert others.std(dim=0).max() < 2 * others.std(dim=0).min(), "directions are of one size"


def test_a_bound_takes_each_fake_once(tmp_path: Path) -> None:
    """At its highest in all conditions: nine versions of 40 fakes are not 360 fakes."""
    folder = toy_detector(tmp_path / "d", **SMALL)
    detector = Detector.from_pretrained(folder)
    draws = np.random.default_rng(0)
    for fakes, names in ((40, set()), (60, {"far-5%"})):
        scores = draws.normal(size=(9, fakes + 30))
        labels = [0] * fakes + [1] * 30
        clips = [f"{number}" for number in range(len(labels))]
        table = pl.DataFrame({"utt": clips, "path": clips, "label": labels, "speaker": clips})
        dev = scores, [Manifest("a", table)]
        write_calibration(detector, dev, KnownCorpora(dev=(KnownCorpus("a", "b"),)), folder)
        calibration = read_calibration(folder)
        assert set(calibration.thresholds) == {"eer", "cost", *names}
        assert calibration.promise.num_spoof == fakes
        assert calibration.manifests == {"a as it is and in 8 conditions": "b"}
    assert calibration.threshold("far-5%") == scores[:, :60].max()


@pytest.mark.parametrize("name", ["augmentation", *CONDITIONS])
def test_conditions_change_a_recording_and_keep_its_length(name: str) -> None:
    change = prepared({"augmentation": AUGMENTATION, **CONDITIONS}[name])
    sound = (0.1 * np.random.default_rng(0).normal(size=32_000)).astype(np.float32)
    changed = [change(sound, np.random.default_rng(seed)) for seed in range(4)]
    assert all(len(one) == len(sound) for one in changed)
    assert any(not np.array_equal(one, sound) for one in changed)


def test_the_emotion_network_gives_weights_that_a_view_reads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = train_emotion.EmotionNetwork(7).eval()
    torch.save(network.weights(), tmp_path / "emotion.pth")
    view = train_emotion.ACRNNEncoder(**train_emotion.WIDTHS).eval()
    view.load_pretrained(tmp_path / "emotion.pth")
    sound = torch.randn(1, 48_000)
    with torch.inference_mode():
        torch.testing.assert_close(view(sound), network.encoder(sound), atol=1e-4, rtol=1e-2)
