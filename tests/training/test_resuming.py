"""What decides the next step comes back after a stop, besides the weights."""

import torch
from toys import plan, toy_experiment

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
