"""Published checkpoints with random weights."""

from pathlib import Path

import torch
from torch import Tensor

from amsdf.config import Experiment, read_recipe
from amsdf.detector.detector import Detector
from amsdf.detector.published import families


def published_aasist(recipe: str = "aasist") -> dict[str, Tensor]:
    """Random weights under the published names."""
    torch.manual_seed(0)
    detector = Detector.build(Experiment.parse(read_recipe(recipe)))
    return {families.AASIST.published_name(k): v for k, v in detector.state_dict().items()}


def saved(state: dict[str, Tensor], folder: Path, name: str = "file.pth") -> Path:
    """The state dict as a file."""
    torch.save(state, folder / name)
    return folder / name
