"""What is asked for: the experiment, shipped recipes, and the flags that change them."""

from amsdf.config.experiment import Clip, Component, Experiment, View
from amsdf.config.merging import merge
from amsdf.config.recipes import read_recipe, read_yaml, recipe_names
from amsdf.config.scoring_rule import ScoringRule
from amsdf.config.training import Training

__all__ = [
    "Clip",
    "Component",
    "Experiment",
    "ScoringRule",
    "Training",
    "View",
    "merge",
    "read_recipe",
    "read_yaml",
    "recipe_names",
]
