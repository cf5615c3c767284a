"""Weights on disk: read without running what a pickle says, and filled in strictly."""

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def load_safely(path: Path, known: Sequence[Any] = ()) -> Any:
    """What `torch.save` wrote, tensors mapped from disk; only `known` classes besides tensors."""
    try:
        with torch.serialization.safe_globals(list(known)):
            return torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {_refusal(error)}") from None


def _refusal(error: Exception) -> str:
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named:
        return (
            f"pickles {named[1]!r}, which is code or an unknown class and is not read; "
            "save it again with plain values only (weights and configuration)"
        )
    return "is no file of torch.save, or not a complete one; download it again"


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
