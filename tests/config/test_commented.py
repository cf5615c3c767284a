"""Experiments with a comment on every key."""

import pytest

from amsdf.config import Experiment, read_recipe, recipe_names
from amsdf.config.commented import commented, comments_of
from amsdf.config.training import Training


@pytest.mark.parametrize("name", recipe_names())
def test_a_commented_experiment_is_the_experiment(name: str) -> None:
    experiment = Experiment.parse(read_recipe(name))
    text = commented(experiment)
    assert Experiment.from_yaml(text) == experiment
    assert "  # Stop after so many optimiser steps, whatever the epoch.\n  max_steps:" in text


def test_keys_say_what_may_be_written() -> None:
    text = commented(Experiment.parse(read_recipe("aasist")))
    assert "  # One of: adam, adamw, sgd.\n  optimizer: adam\n" in text
    assert "  #   freeze: false\n" in text, "keys of views that are not set are shown"


def test_a_comment_belongs_to_the_next_key_alone() -> None:
    comments = comments_of(Training)
    assert comments["step_epochs"][0].startswith("`step` multiplies")
    assert "step_factor" not in comments and "epochs" not in comments
