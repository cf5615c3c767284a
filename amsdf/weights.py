"""Weights: files of torch read without running code, state dicts loaded strictly, digests."""

import hashlib
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

#: Names under which training checkpoints keep their weights; optimiser and epoch have others.
NESTED = ("model", "state_dict", "model_state_dict")
#: What wrappers put before every name: DataParallel and AveragedModel, Lightning modules.
PREFIXES = ("module.", "model.")
#: AveragedModel counts here; no weight of the model.
COUNTER = "n_averaged"
#: What `torch.load` raises on files that are damaged or not its own.
_DAMAGE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError),
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)


def read_state_dict(path: Path | str) -> dict[str, Tensor]:
    """The weights of a `.pth` file, on the CPU: a state dict, or the one of a training checkpoint.

    A prefix that all names share is taken off.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give a .pth file with a state dict")
    return plain_state(load_safely(path), path)


def load_safely(path: Path, known: Sequence[Any] = ()) -> Any:
    """What `torch.save` wrote, tensors mapped from disk; only `known` classes besides tensors."""
    try:
        with torch.serialization.safe_globals(list(known)):
            return torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _DAMAGE as error:
        raise ValueError(f"{path}: {_refusal(error)}") from None


def _refusal(error: Exception) -> str:
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named:
        return (
            f"pickles {named[1]!r}, which is code or an unknown class and is not read; "
            "on a machine with that code, save only the weights: torch.save(model.state_dict(), …)"
        )
    return "is no file of torch.save, or not a complete one; download it again"


def plain_state(content: Any, path: Path | str) -> dict[str, Tensor]:
    """The state dict that `content` is or, under one of the names in use, holds; `path` for errors.

    Returns:
        Names without a common prefix -> tensors.
    """
    if not _is_state(content):
        inside = content if isinstance(content, Mapping) else {}
        found = [content[name] for name in NESTED if _is_state(inside.get(name))]
        if len(found) != 1:
            raise ValueError(
                f"{path}: holds {f'{len(found)} state dicts' if found else _kind(content)}; "
                f"give a file with model.state_dict() alone or under one of {', '.join(NESTED)}"
            )
        content = found[0]
    state = {key: tensor for key, tensor in content.items() if key != COUNTER}
    for prefix in PREFIXES * 2:  # either may come first
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _is_state(content: Any) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    )


def _kind(content: Any) -> str:
    return f"a {type(content).__name__} that does not map names to tensors"


def load_strictly(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: Path | str,
    called: Callable[[str], str] = str,
) -> None:
    """`load_state_dict` whose refusal is one line that lists the keys, as they are `called`."""
    own = module.state_dict()
    misshapen = (
        f"{called(key)} {tuple(tensors[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in tensors and tensors[key].shape != own[key].shape
    )
    refuse_misfits(
        source,
        missing=[called(key) for key in own if key not in tensors],
        unknown=[called(key) for key in tensors if key not in own],
        misshapen=misshapen,
    )
    module.load_state_dict(dict(tensors), strict=True)


def refuse_misfits(source: Path | str, **keys: Iterable[str]) -> None:
    """One line for all weights that do not fit, by what is wrong with them; nothing if none is."""
    problems = [text for what, found in keys.items() if (text := _listed(what, list(found)))]
    if problems:
        raise ValueError(
            f"{source}: weights do not fit the model: {'; '.join(problems)}. "
            "Are they of another experiment?"
        )


def _listed(what: str, keys: Sequence[str]) -> str:
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return f"{len(keys)} {what}: {', '.join(keys[:5])}{more}" if keys else ""


def digest_of_tensors(tensors: Mapping[str, Tensor], start: str = "") -> str:
    """Twelve hexadecimal digits over `start`, and the names and bytes of all tensors."""
    total = hashlib.sha256(start.encode())
    for name, tensor in sorted(tensors.items()):
        total.update(name.encode())
        total.update(_bytes_of(tensor))
    return total.hexdigest()[:12]


def _bytes_of(tensor: Tensor) -> bytes:
    """The memory of a tensor, whatever its type."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
