"""Training: it learns, repeats itself bit for bit, resumes exactly, and stops on bad input."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import accelerate.tracking
import pytest
import torch
from golden_names import close
from toys import PLAIN, TOY, StopsAt, plan, same_weights, toy_corpus, toy_experiment, toy_manifest

from amsdf.config import merge
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.training.distributed import open_accelerator
from amsdf.training.step import Stepper
from amsdf.training.trainer import train


def test_it_learns_and_keeps_the_best_epoch(tmp_path):
    progress = train(toy_experiment(train={"epochs": 6}), plan(tmp_path, "run"))
    assert progress.best_eer <= 0.125
    events = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "epoch"]
    dev = [event["eer"] for event in events if event["event"] == "dev"]
    assert losses[-1] < losses[0] and len(dev) == 6
    assert progress.best_eer == min(dev)
    environment = json.loads((tmp_path / "run/environment.json").read_text())
    assert environment["data"]["toy/train"]["clips"] == 16 and environment["packages"]["torch"]


def test_same_seed_same_bits_and_another_seed_others(tmp_path):
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        train(toy_experiment(seed=seed), plan(tmp_path, folder))
    assert same_weights(tmp_path / "a/last", tmp_path / "b/last")
    assert not same_weights(tmp_path / "a/last", tmp_path / "c/last")


SCRIPT = """
import sys, json
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads({threads})
from toys import plan
from amsdf.config import Experiment
from amsdf.training.trainer import train
train(Experiment.parse(json.loads({experiment!r})), plan(Path({root!r}), "killed", resume={resume}))
"""


@pytest.mark.parametrize("after", [2, 5])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, after):
    """Trap: resume loses epochs. Killed in mid-epoch with -9, states saved every other step."""
    extras = {
        "ema": 0.9,
        "schedule": "cosine",
        "save_steps": 2,
        "accumulate": 2,
        "batch_size": 2,
        "bonafide_share": 0.5,
    }
    experiment = merge(TOY, {"train": extras})
    toy_corpus(tmp_path / "toy")
    train(toy_experiment(train=extras), plan(tmp_path, "whole"))

    def script(resume: bool) -> list[str]:
        text = SCRIPT.format(
            tests=str(Path(__file__).parents[1]),
            experiment=json.dumps(experiment),
            root=str(tmp_path),
            resume=resume,
            threads=torch.get_num_threads(),  # another number gives other bits
        )
        return [sys.executable, "-c", text]

    process = subprocess.Popen(script(False), stderr=subprocess.DEVNULL)
    state = tmp_path / "killed/last/training.pt"
    deadline = time.time() + 120
    saves, seen = 0, None
    while saves < after and process.poll() is None and time.time() < deadline:
        changed = state.stat().st_mtime_ns if state.exists() else None
        saves, seen = saves + (changed is not None and changed != seen), changed
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
    assert subprocess.run(script(True), check=False).returncode == 0
    for part in ("last", "best"):
        assert same_weights(tmp_path / "whole" / part, tmp_path / "killed" / part)
    logs = [
        [
            {
                key: value
                for key, value in json.loads(line).items()
                if key not in ("seconds", "waiting")
            }
            for line in (tmp_path / name / "log.jsonl").read_text().splitlines()
        ]
        for name in ("whole", "killed")
    ]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("settings", "factor"),
    [
        ({"schedule": "step", "step_epochs": 1, "step_factor": 0.5}, 0.5**2),
        ({"schedule": "cosine"}, (1 + math.cos(math.pi * 11 / 12)) / 2),
        ({"warmup_steps": 23}, 12 / 24),
        ({"schedule": "cosine", "min_learning_rate": 0.003}, 1.0),
    ],
)
@pytest.mark.parametrize("stopped", [False, True])
def test_schedules_reach_the_optimizer(tmp_path, settings, factor, stopped):
    """The rate of the last of 12 steps, in the optimiser's own state; also after a resume."""
    experiment = toy_experiment(train=settings)
    if stopped:
        with pytest.raises(ValueError, match="stopped here"):
            train(experiment, plan(tmp_path, "run", augment=StopsAt(20)))
    train(experiment, plan(tmp_path, "run", resume=stopped))
    state = torch.load(tmp_path / "run/last/training.pt", weights_only=True)
    for group in state["optimizers"][0]["param_groups"]:
        assert group["lr"] == pytest.approx(0.003 * factor)


def test_every_step_is_made_in_training_mode(tmp_path, monkeypatch):
    """A validation, in mid-epoch or at the end of one, leaves the detector in evaluation mode."""
    modes, step = [], Stepper.step

    def watched(self, group):
        modes.append(self.objective.detector.training)
        return step(self, group)

    monkeypatch.setattr(Stepper, "step", watched)
    settings = {"epochs": 2, "validate_steps": 3}
    train(toy_experiment(train=settings), plan(tmp_path, "run"))
    assert modes == [True] * 8


@pytest.mark.any_processor
def test_gradient_accumulation_is_exact(tmp_path):
    """Two micro-batches give the step of one batch, for a loss that is a mean over clips."""
    still = {"views": {"text": None}, "clip": {"train_crop": "start"}, **PLAIN}
    for folder, size, accumulate in (("one", 4, 1), ("two", 2, 2)):
        settings = {"batch_size": size, "accumulate": accumulate, "epochs": 1, "optimizer": "sgd"}
        train(toy_experiment(**still, train=settings), plan(tmp_path, folder))
    first = checkpoint.read_weights(tmp_path / "one/last")
    second = checkpoint.read_weights(tmp_path / "two/last")
    for key, value in first.items():
        close(second[key], value)


def test_augmented_copies_stand_in_the_epoch(tmp_path):
    """Trap: silent augmentation no-op. Two noisy versions beside the original."""
    from amsdf.data.augmentations import build_augmentations

    noise = {"name": "noise", "colour": "white", "snr_db": [0, 5]}
    copies = {"name": "copies", "n": 2, "of": [noise], "keep_original": True}
    experiment = toy_experiment(augment=[copies], train={"epochs": 1})
    augment = build_augmentations(experiment.augment, {})
    progress = train(experiment, plan(tmp_path, "run", augment=augment))
    plainly = train(toy_experiment(train={"epochs": 1}), plan(tmp_path, "plain"))
    assert progress.step == 3 * plainly.step
    assert not same_weights(tmp_path / "run/last", tmp_path / "plain/last")


def test_two_validations_give_identical_scores(tmp_path):
    """Trap: validation augmented or cropped at random."""
    from amsdf.detector.inference.scores import ScoreSettings, score_rows

    detector = Detector.build(toy_experiment())
    manifest = toy_manifest(tmp_path / "toy", "dev")
    passes = [
        list(score_rows(detector, manifest, range(16), ScoreSettings(batch_size=size)))
        for size in (5, 5)
    ]
    assert passes[0] == passes[1]


def test_a_nonfinite_loss_stops_after_the_tolerance(tmp_path):
    with pytest.raises(ValueError, match="the loss or its gradient is not finite at step"):
        settings = {"learning_rate": 1e30, "optimizer": "sgd", "nonfinite_tolerance": 1}
        train(toy_experiment(train=settings), plan(tmp_path, "run"))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_steps": 1},
        {"validate_steps": 1},
        {"patience": 1},
        {"skip_validation": 9},
        {"drop_last": True},
        {"average_best": 2},
        {"balance_corpora": True},
        {"bucket_lengths": True},
        {"schedule": "plateau", "warmup_steps": 2, "clip_norm": 1.0},
        {"schedule": "step", "step_epochs": 1},
        {"precision": "bf16"},
    ],
)
def test_every_legal_setting_leaves_last_and_best(tmp_path, settings):
    """Trap: no checkpoint under a legal config."""
    train(toy_experiment(train={"epochs": 2, **settings}), plan(tmp_path, "run"))
    for part in ("last", "best"):
        detector = Detector.from_pretrained(tmp_path / "run" / part)
        assert torch.isfinite(detector.score(torch.randn(2, 8000))).all()


def test_a_run_folder_that_exists_is_refused_and_kept(tmp_path):
    """Trap: results folder deleted on rerun."""
    train(toy_experiment(train={"epochs": 1}), plan(tmp_path, "run"))
    before = (tmp_path / "run/last/model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="holds a run already; give --resume"):
        train(toy_experiment(), plan(tmp_path, "run"))
    with pytest.raises(ValueError, match=r"another experiment \(seed: 7 in the run, 9 given\)"):
        train(toy_experiment(train={"epochs": 1}, seed=9), plan(tmp_path, "run", resume=True))
    assert (tmp_path / "run/last/model.safetensors").read_bytes() == before


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: amsdf[tensorboard]")
    train(toy_experiment(train={"epochs": 1}), plan(tmp_path, "run", trackers=["tensorboard"]))
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("tracker", "remedy"), [("tensorboard", r"'amsdf\[tensorboard\]'"), ("aim", "aim")]
)
@pytest.mark.filterwarnings("ignore:.*no supported trackers")
def test_a_tracker_that_is_not_installed(tmp_path, monkeypatch, tracker, remedy):
    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [])
    with pytest.raises(ValueError, match=rf"--tracker {tracker}: .* pip install {remedy}$"):
        open_accelerator("fp32", [tracker], tmp_path)


def test_a_one_class_dev_set_is_refused_before_training(tmp_path):
    import polars as pl

    from amsdf.data.manifest import Manifest

    dev = toy_manifest(tmp_path / "toy", "dev")
    real = Manifest("real only", dev.table.filter(pl.col("label") == 1))
    with pytest.raises(ValueError, match="real only: 8 bona fide and 0 spoof"):
        train(toy_experiment(), plan(tmp_path, "run", dev=[real]))


def test_frozen_weights_are_stored_once_a_run(tmp_path):
    """`best/` and `last/` share the file of a frozen encoder, named by its content."""
    experiment = toy_experiment(views={"text": {"freeze": True}}, train={"epochs": 1})
    train(experiment, plan(tmp_path, "run"))
    files = list((tmp_path / "run").glob("*/frozen-*.safetensors"))
    assert len(files) == 2 and files[0].samefile(files[1])
    detector = Detector.from_pretrained(tmp_path / "run/best")
    assert not any(p.requires_grad for p in detector.encoder("text").parameters())
