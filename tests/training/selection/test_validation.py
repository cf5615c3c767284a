"""Validation hears each dev clip as it is, and what its EERs decide: the best, the plateau."""

import numpy as np
import polars as pl
import pytest
import torch
from golden_names import close
from toys import plan, same_weights, toy_experiment, toy_manifest

from amsdf.audio import fit, read_audio
from amsdf.data.augmentations import build_augmentations
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.training.distributed import open_accelerator
from amsdf.training.selection import selection
from amsdf.training.selection.validation import DevResult, score_with_all_processes, validate
from amsdf.training.trainer import Trainer, train


@pytest.mark.parametrize("cut", ["start", "centre"])
def test_dev_scores_are_those_of_the_declared_cut(tmp_path, cut):
    """Trap: validation augmented or cropped at random, be the draw seeded or not."""
    clip = {"samples": 8000, "train_crop": "random", "eval_crop": cut}
    detector = Detector.build(toy_experiment(clip=clip)).eval()
    manifest = toy_manifest(tmp_path / "toy", "dev", clips=4)
    waveforms = [
        fit(read_audio(path), detector.experiment.clip, 8000) for path in manifest.table["path"]
    ]
    assert min(len(read_audio(path)) for path in manifest.table["path"]) > 8000, "all are cut"
    expected = detector.score(torch.from_numpy(np.stack(waveforms)))
    for training in (False, True):
        found = score_with_all_processes(detector.train(training), manifest, workers=0)
        close(torch.from_numpy(found), expected)


def test_what_training_does_to_clips_reaches_no_dev_clip(tmp_path, monkeypatch):
    """The scores that choose the epoch, with an augmentation that leaves nothing as it was."""
    heard = []

    def listen(detector, manifest, workers, cache=None):
        heard.append((detector.training, score_with_all_processes(detector, manifest, workers)))
        expected = [
            fit(read_audio(path), detector.experiment.clip, 8000) for path in manifest.table["path"]
        ]
        heard.append((None, detector.score(torch.from_numpy(np.stack(expected))).detach().numpy()))
        return heard[-2][1]

    monkeypatch.setattr("amsdf.training.selection.validation.score_with_all_processes", listen)
    noise = {"name": "noise", "colour": "white", "snr_db": [0, 1]}
    experiment = toy_experiment(augment=[noise], train={"epochs": 1}, views={"text": None})
    train(experiment, plan(tmp_path, "run", augment=build_augmentations(experiment.augment, {})))
    assert len(heard) == 2
    close(*(torch.from_numpy(scores) for _, scores in heard))


def labelled(name: str, labels: list[int]) -> Manifest:
    names = [f"{name}{row}" for row in range(len(labels))]
    return Manifest(name, pl.DataFrame({"utt": names, "path": names, "label": labels}))


@pytest.mark.parametrize(("rule", "selected"), [("mean", 0.25), ("worst", 0.5), ("pooled", 0.4)])
def test_one_number_from_several_corpora(monkeypatch, rule, selected):
    """By hand: one corpus is told apart without a mistake, of the other half is mistaken."""
    corpora = [labelled("easy", [1, 1, 1, 0, 0, 0]), labelled("hard", [1, 1, 0, 0])]
    scores = {"easy": [20, 21, 22, 11, 12, 13], "hard": [0, 10, 5, -5]}
    monkeypatch.setattr(
        "amsdf.training.selection.validation.score_with_all_processes",
        lambda detector, manifest, *workers: np.array(scores[manifest.name], np.float64),
    )
    detector = Detector.build(toy_experiment(train={"select": rule}, views={"text": None}))
    result = validate(detector, corpora, workers=0)
    assert result.eers == {"easy": 0.0, "hard": 0.5}
    assert result.selected == pytest.approx(selected)


def test_a_validation_leaves_training_as_it_is(tmp_path):
    """Dropout goes on with the same random numbers, with dev sets or without."""
    experiment = toy_experiment(
        head={"name": "pool-linear", "dropout": 0.5},
        views={"text": None},
        train={"ema": 0.9, "validate_steps": 2, "epochs": 2},
    )
    train(experiment, plan(tmp_path, "dev"))
    train(experiment, plan(tmp_path, "none", dev=[]))
    assert same_weights(tmp_path / "dev/last", tmp_path / "none/last")


@pytest.mark.parametrize(
    ("eers", "patience", "factor"),
    [
        ([0.0] * 5, 1, 1.0),
        ([0.3, 0.3, 0.2, 0.2, 0.2], 1, 1.0),
        ([0.3, 0.4, 0.4, 0.3, 0.3], 1, 0.25),
        ([0.3, 0.4, 0.3, 0.4, 0.3], 2, 1.0),
        ([0.3, 0.4, 0.4, 0.4, 0.4], 2, 0.25),
    ],
)
def test_a_plateau_is_a_row_of_worse_validations(tmp_path, monkeypatch, eers, patience, factor):
    """An equal EER is as good: five perfect validations lower nothing."""
    left = iter(eers)
    monkeypatch.setattr(selection, "validate", lambda *given: DevResult({}, next(left)))
    settings = {"schedule": "plateau", "plateau_patience": patience, "epochs": 5}
    accelerator = open_accelerator("fp32", [], tmp_path)
    run = Trainer(toy_experiment(train=settings), plan(tmp_path, "run"), accelerator)
    run.run_all()
    assert run.schedule.plateau == factor
