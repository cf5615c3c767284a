"""The training set in groups, each an optimiser step; and how many there are."""

import pytest
from toys import plan, toy_experiment, toy_manifest

from amsdf.data.dataset import TrainingTransform
from amsdf.training.batches import TrainingData, in_groups
from amsdf.training.trainer import train


@pytest.mark.parametrize(
    ("count", "groups"),
    [(1, [[0], [1], [2], [3], [4]]), (2, [[0, 1], [2, 3], [4]]), (5, [[*range(5)]])],
)
def test_a_shorter_group_at_the_end_is_a_step_too(count, groups):
    assert list(in_groups(range(5), count)) == groups


def test_the_steps_that_a_schedule_counts_on_are_those_that_are_made(tmp_path):
    """16 clips in batches of 3, two batches a step: three steps an epoch."""
    settings = {"batch_size": 3, "accumulate": 2, "epochs": 2}
    experiment = toy_experiment(train=settings, views={"text": None})
    manifest = toy_manifest(tmp_path / "toy", "train")
    expected = TrainingData(experiment, manifest, TrainingTransform(7)).total_steps()
    assert train(experiment, plan(tmp_path, "run")).step == expected == 6
