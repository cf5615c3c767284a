"""One optimiser step: nothing that is not finite is kept, groups are exact, fp16 has one scaler."""

import itertools
import json
import math

import numpy as np
import pytest
import soundfile
import torch
from accelerate import Accelerator
from toys import PLAIN, plan, toy_experiment

from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.testing import difference, waveforms
from amsdf.training.optimizers import build_optimizers
from amsdf.training.step import Objective, Stepper, UpdateOutcome
from amsdf.training.trainer import Trainer, train

AUDIO = {"views": {"text": None}, "clip": {"train_crop": "start"}, **PLAIN}
NORMED = {
    "views": {"audio": {"encoder": "lfcc", "frames": 50}, "text": None},
    "head": {"name": "resnet18"},
}
#: Bona fide: none of the first four clips, three of the last.
LABELS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1])


class Spoils:
    """An augmentation that makes NaN of the n-th clip."""

    copies, keeps_original = 1, False

    def __init__(self, clips: int):
        self.left = clips

    def __call__(self, waveform, rng):
        self.left -= 1
        return waveform if self.left else np.full_like(waveform, np.nan)


def stepper(**changes) -> tuple[Stepper, Detector]:
    experiment = toy_experiment(**{**AUDIO, **changes})
    torch.manual_seed(0)
    detector = Detector.build(experiment).train()
    accelerator = Accelerator(cpu=True)
    return Stepper(detector, build_optimizers(detector, experiment.train), accelerator), detector


def batch(rows: range = range(16)) -> Batch:
    sounds = waveforms(16, 8000)[rows.start : rows.stop]
    return Batch(sounds, LABELS[rows.start : rows.stop], list(rows), None, None, [])


def state_of(detector: Detector) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in detector.state_dict().items()}


def assert_unmoved(detector: Detector, before: dict[str, torch.Tensor]):
    now = detector.state_dict()
    assert all(torch.equal(now[key], value) for key, value in before.items())


def assert_same(one: Detector, other: Detector):
    """But for float32: what small gradients add up to depends on the order of sums."""
    for (key, value), expected in zip(
        other.state_dict().items(), one.state_dict().values(), strict=True
    ):
        assert difference(value, expected) < 1e-5, key


# What is not finite


@pytest.mark.parametrize("dev", [True, False])
def test_a_nan_clip_stops_training_and_leaves_the_best_finite(tmp_path, dev):
    """Trap: NaN weights saved as best. The clip goes bad in the second epoch of the same run."""
    changes = {} if dev else {"dev": []}
    given = plan(tmp_path, "run", augment=Spoils(16 + 5), **changes)
    with pytest.raises(ValueError, match=r"not finite at step 6 .*best so far is in .*run/best"):
        train(toy_experiment(), given)
    weights = checkpoint.read_weights(tmp_path / "run/best")
    assert weights and all(value.isfinite().all() for value in weights.values())


def test_a_nan_recording_is_named(tmp_path):
    given = plan(tmp_path, "run")
    path = tmp_path / "toy/audio/train_0_bonafide.wav"
    soundfile.write(path, np.full(8000, np.nan, np.float32), 16000, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"train_0_bonafide\.wav: 8000 samples are NaN"):
        train(toy_experiment(), given)


@pytest.mark.parametrize("dev", [True, False])
def test_weights_that_are_not_finite_are_never_kept(tmp_path, dev):
    """Trap: NaN weights saved as best. The last step, with a finite loss, is what ruins them."""
    settings = {"learning_rate": 1e38, "optimizer": "sgd", "weight_decay": 1e3}
    changes = {} if dev else {"dev": []}
    experiment = toy_experiment(train={**settings, "max_steps": 1})
    with pytest.raises(ValueError, match=r"is not finite at step 1; lower train\.learning_rate"):
        train(experiment, plan(tmp_path, "run", **changes))
    assert not (tmp_path / "run/best").exists() and not (tmp_path / "run/last").exists()


def test_a_step_that_is_skipped_leaves_batch_statistics_alone(tmp_path):
    settings = {"nonfinite_tolerance": 1, "epochs": 1}
    progress = train(
        toy_experiment(**NORMED, train=settings), plan(tmp_path, "run", augment=Spoils(5))
    )
    assert progress.nonfinite == 1 and np.isfinite(progress.best_eer)
    weights = checkpoint.read_weights(tmp_path / "run/last")
    assert all(value.isfinite().all() for value in weights.values())


def test_a_gradient_that_is_not_finite_moves_nothing():
    steps, detector = stepper(**NORMED)
    next(detector.head.parameters()).register_hook(lambda gradient: gradient / 0)
    before = state_of(detector)
    assert steps.step([batch()]).network is UpdateOutcome.NOT_FINITE
    assert_unmoved(detector, before)


def test_a_centre_step_that_is_not_finite_moves_no_centre(monkeypatch):
    steps, detector = stepper(loss={"name": "eoc-softmax"})
    original = detector.loss.centre_loss
    monkeypatch.setattr(detector.loss, "centre_loss", lambda *given: original(*given) * torch.nan)
    before = state_of(detector)
    result = steps.step([batch()])
    assert (result.network, result.centre) == (UpdateOutcome.MOVED, UpdateOutcome.NOT_FINITE)
    assert torch.equal(before["loss.centre"], detector.loss.centre)
    assert not torch.equal(before["head.linear.weight"], detector.head.linear.weight)


# Groups


@pytest.mark.any_processor
@pytest.mark.parametrize(
    "loss", [{"name": "cross-entropy"}, {"name": "am-softmax", "weights": [1, 9]}]
)
def test_a_group_is_exact_for_weighted_means(loss):
    """16 clips at once, or four times four with other shares of bona fide, one without any."""
    sgd = {"optimizer": "sgd", "learning_rate": 0.1}
    (whole, one), (cut, four) = (stepper(loss=loss, train=sgd) for _ in range(2))
    value = whole.step([batch()]).loss
    parts = [batch(range(start, start + 4)) for start in range(0, 16, 4)]
    assert cut.step(parts).loss == pytest.approx(value, rel=1e-5)
    assert_same(one, four)


def test_the_centre_step_of_a_group_counts_bona_fide_rows():
    sgd = {"optimizer": "sgd", "learning_rate": 0.1}
    (whole, one), (cut, four) = (stepper(loss={"name": "eoc-softmax"}, train=sgd) for _ in range(2))
    whole.step([batch()])
    cut.step([batch(range(start, start + 4)) for start in range(0, 16, 4)])
    assert_same(one, four)


def test_the_step_of_the_centre_gives_the_network_no_gradient():
    _, detector = stepper(loss={"name": "eoc-softmax"})
    Objective(detector)(batch(), centre_only=True).backward()
    moved = {name for name, p in detector.named_parameters() if p.grad is not None}
    assert moved == {"loss.centre"}


# Frozen encoders

PAIRS = {"name": "weighted-sum", "parts": [{"name": "eoc-softmax"}, {"name": "bonafide-pairs"}]}


def step_and_count(freeze: bool, group: int = 1) -> tuple[int, Detector]:
    """Passes of the encoder over each clip in one step of EBM, and the detector after it."""
    steps, detector = stepper(views={"audio": None, "text": {"freeze": freeze}}, loss=PAIRS)
    heard = []
    detector.encoder("text").register_forward_hook(lambda _, given, __: heard.append(len(given[0])))
    size = 16 // group
    batches = [batch(range(start, start + size)) for start in range(0, 16, size)]
    for each in batches:
        each.pairs = each.waveform[:, :6000]
    assert steps.step(batches).moved
    assert all(each.frozen_views is None for each in batches)
    return sum(heard) // 16, detector


@pytest.mark.parametrize("group", [1, 4])
def test_a_frozen_encoder_hears_each_crop_once(group, monkeypatch):
    """The centre step takes the views of the step before it, and moves to the same weights."""
    once, detector = step_and_count(freeze=True, group=group)
    monkeypatch.setattr(Detector, "frozen_views", [])
    again, other = step_and_count(freeze=True, group=group)
    assert (once, again) == (2, 3)
    assert_same(detector, other)


def test_an_encoder_that_learns_runs_again_for_the_centre():
    assert step_and_count(freeze=False)[0] == 3


def test_a_gradient_that_is_too_long_is_cut_to_clip_norm():
    """Of all weights together, which then move by the rate times the limit."""
    settings = {"optimizer": "sgd", "learning_rate": 0.5, "clip_norm": 0.01}
    steps, detector = stepper(train=settings)
    before = state_of(detector)
    assert steps.step([batch()]).moved
    moved = [(value - before[key]).flatten() for key, value in detector.state_dict().items()]
    assert torch.cat(moved).norm().item() == pytest.approx(0.5 * 0.01, rel=1e-3)


# fp16


def scale(steps: Stepper, factor: float) -> None:
    """What `precision: fp16` does to gradients, without a device that has fp16."""
    steps.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=factor)
    steps.accelerator.native_amp = True
    steps.accelerator.state._mixed_precision = "fp16"


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("loss", ["oc-softmax", "eoc-softmax"])
def test_one_scaler_serves_the_centre_too(loss, clip_norm):
    """The step with a scaler is the step without: its scale is a power of two."""
    settings = {"centre": {"learning_rate": 0.01}, "optimizer": "sgd", "clip_norm": clip_norm}
    changes = {"loss": {"name": loss}, "train": settings}
    plainly, one = stepper(**changes)
    scaled, other = stepper(**changes)
    scale(scaled, 2.0**10)
    for _ in range(3):
        value = plainly.step([batch()]).loss
        assert scaled.step([batch()]).loss == pytest.approx(value, rel=1e-6)
    assert_same(one, other)
    assert scaled.accelerator.scaler.get_scale() == 2.0**10


def test_gradients_that_no_scale_helps_are_not_finite():
    steps, detector = stepper(**NORMED)
    scale(steps, 4.0)
    next(detector.head.parameters()).register_hook(lambda gradient: gradient / 0)
    before = state_of(detector)
    outcomes = [steps.step([batch()]).network for _ in range(3)]
    assert outcomes == [UpdateOutcome.OVERFLOW, UpdateOutcome.OVERFLOW, UpdateOutcome.NOT_FINITE]
    assert_unmoved(detector, before)


def test_a_step_that_the_scaler_skips_is_no_step(tmp_path):
    """It counts in no schedule and no average, but as skipped; max_steps are steps that moved."""
    settings = {"schedule": "cosine", "ema": 0.5, "max_steps": 8}
    given = toy_experiment(train=settings)
    run = Trainer(given, plan(tmp_path, "run"), Accelerator(cpu=True))
    scale(run.stepper, 4.0)
    averaged, calls = [], itertools.count(1)
    run.average.update = lambda detector: averaged.append(run.progress.step)
    next(run.detector.head.parameters()).register_hook(
        lambda gradient: gradient / 0 if next(calls) in (1, 3) else gradient
    )
    progress = run.run_all()
    assert (progress.step, progress.skipped, progress.nonfinite) == (8, 2, 0)
    assert progress.epoch == 3 and averaged == list(range(1, 9))
    rate = run.schedule.groups[0]["lr"]
    assert rate == pytest.approx(0.003 * (1 + math.cos(math.pi * 7 / 8)) / 2)
    lines = (tmp_path / "run/log.jsonl").read_text().splitlines()
    epochs = [event for event in map(json.loads, lines) if event["event"] == "epoch"]
    assert [(event["step"], event["skipped"]) for event in epochs] == [(2, 2), (6, 2), (8, 2)]


# CUDA


def test_cuda_is_asked_to_repeat_itself(tmp_path, monkeypatch):
    """Whether it does is seen by the tests of training, where there is such a device."""
    from types import SimpleNamespace

    from amsdf.training import distributed

    fake = SimpleNamespace(device=torch.device("cuda"), distributed_type="NO", log_with=[])
    monkeypatch.setattr(distributed, "Accelerator", lambda **given: fake)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    before = torch.are_deterministic_algorithms_enabled()
    try:
        distributed.open_accelerator("fp32", [], tmp_path)
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(before)
