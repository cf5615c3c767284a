"""State dicts in PyTorch's own file format, read without executing what is pickled in them."""

import pickle
from pathlib import Path

import torch
from torch import Tensor


def read_state_dict(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a `.pth` file, on the CPU; anything but a plain state dict is refused."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give a .pth file with a state dict")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path}: is not a plain state dict; it is damaged or holds objects, which are not "
            "executed: give a file with model.state_dict() alone"
        ) from None
    except (RuntimeError, EOFError):
        raise ValueError(f"{path}: cannot be read as a .pth file; download it again") from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(
            f"{path}: holds a {type(state).__name__} of other things than tensors; "
            "give a file with model.state_dict() alone"
        )
    return dict(state)
