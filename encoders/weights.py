"""Weights filled in strictly, a misfit named in one line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn


def fill(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load `state`; a missing, unknown or misshapen weight is an error that names it."""
    expected = module.state_dict()
    problems = [f"missing {key}" for key in expected if key not in state]
    problems += [f"unknown {key}" for key in state if key not in expected]
    problems += [
        f"{key} is {tuple(state[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if problems:
        raise ValueError(f"{path}: {misfit(problems)}")
    module.load_state_dict(state)


def misfit(problems: Sequence[str]) -> str:
    """One line for many weights."""
    shown = "; ".join(problems[:4])
    return f"does not fit, {len(problems)} weights: {shown}{'; …' if len(problems) > 4 else ''}"
