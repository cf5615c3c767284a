"""Published checkpoints with random weights."""

from pathlib import Path

import torch
from torch import Tensor

from amsdf.config import Experiment, read_recipe
from amsdf.detector import published
from amsdf.detector.detector import Detector
from amsdf.detector.published.families import AASIST
from amsdf.weights import read_state_dict


def published_aasist(recipe: str = "aasist") -> dict[str, Tensor]:
    """Random weights under the published names."""
    torch.manual_seed(0)
    detector = Detector.build(Experiment.parse(read_recipe(recipe)))
    return {AASIST.published_name(k): v for k, v in detector.state_dict().items()}


def saved(state: dict[str, Tensor], folder: Path, name: str = "file.pth") -> Path:
    """The state dict as a file."""
    torch.save(state, folder / name)
    return folder / name


State = dict[str, Tensor]


def filled(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> State:
    """Random weights; variances are positive."""
    generator = torch.Generator().manual_seed(seed)
    found: State = {}
    for name, shape in shapes.items():
        value = 0.1 * torch.randn(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        found[name] = value.abs() + 0.5 if name.endswith("running_var") else value
    return found


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def linear(name: str, given: int, returned: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (returned, given), f"{name}.bias": (returned,)}


def files(states: dict[str, State], folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [saved(state, folder, name) for name, state in states.items()]


def same_both_ways(paths: list[Path]) -> set[str]:
    """Check that our weights under their names are theirs; our names that have no such name."""
    family, detector = published.read(paths)
    theirs = family.gather({path: read_state_dict(path) for path in paths})
    back = {family.published_name(name): value for name, value in detector.state_dict().items()}
    for name in back.keys() & theirs.keys():
        assert torch.equal(back[name], theirs[name]), name
    return back.keys() - theirs.keys()
