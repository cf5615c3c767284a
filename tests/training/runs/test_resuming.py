"""What decides the next step comes back after a stop, besides the weights."""

import pytest
import torch
from accelerate import Accelerator
from toys import StopsAt, plan, same_weights, toy_experiment

from amsdf.training.distributed import open_accelerator
from amsdf.training.trainer import Trainer

AUDIO = {"views": {"text": None}}


def test_random_numbers_rates_and_averages_come_back(tmp_path):
    """Trap: resume loses state. A run of the same experiment is set back to the saved state."""
    experiment = toy_experiment(**AUDIO, train={"schedule": "plateau", "ema": 0.9})
    accelerator = open_accelerator("fp32", [], tmp_path)
    run = Trainer(experiment, plan(tmp_path, "run"), accelerator)
    run.progress.step, run.schedule.plateau, run.schedule.worse_in_a_row = 5, 0.25, 1
    average = {key: value.clone() for key, value in run.average.state.items()}
    state = run.resumable.state(run.progress)
    drawn = torch.rand(3)

    run.schedule.plateau, run.schedule.worse_in_a_row = 1.0, 0
    run.average.state = {key: torch.zeros_like(value) for key, value in average.items()}
    run.resumable.load(state)
    assert state["progress"]["step"] == 5
    assert (run.schedule.plateau, run.schedule.worse_in_a_row) == (0.25, 1)
    assert all(torch.equal(value, run.average.state[key]) for key, value in average.items())
    assert torch.equal(torch.rand(3), drawn)


def half_precision(**scaling: float) -> Accelerator:
    """What `precision: fp16` gives; accelerate makes it only where there is a GPU."""
    accelerator = Accelerator(cpu=True)
    accelerator.state._mixed_precision = "fp16"
    accelerator.native_amp = True
    accelerator.scaler = torch.amp.GradScaler("cpu", **scaling)
    return accelerator


def test_training_in_fp16_is_resumed_with_its_scale(tmp_path):
    """Trap: resume loses state. The scale has grown; a new one would begin anew."""
    scaling = {"init_scale": 2.0**8, "growth_interval": 3}
    settings = {"epochs": 2, "batch_size": 4, "save_steps": 1}
    experiment = toy_experiment(**AUDIO, train=settings)
    whole = Trainer(experiment, plan(tmp_path, "whole"), half_precision(**scaling))
    kinds = set()
    whole.detector.head.register_forward_hook(lambda *given: kinds.add(given[2].dtype))
    whole.run_all()
    assert torch.float16 in kinds, "validation is in float32"
    assert whole.accelerator.scaler.get_scale() == 2.0 ** (8 + 8 // 3)
    stops = plan(tmp_path, "stopped", augment=StopsAt(4 * 5 + 1))
    with pytest.raises(ValueError, match="stopped here"):
        Trainer(experiment, stops, half_precision(**scaling)).run_all()
    again = Trainer(experiment, plan(tmp_path, "stopped", resume=True), half_precision())
    assert again.accelerator.scaler.get_scale() == 2.0 ** (8 + 5 // 3)
    again.run_all()
    assert same_weights(tmp_path / "whole/last", tmp_path / "stopped/last")
