"""Where tests find stored numbers, and the settings that make torch repeat itself."""

import os
from pathlib import Path

import pytest
import torch

from amsdf.cli.allocator import keep_freed_memory

TESTS = Path(__file__).parent
SHARED = TESTS.parent.parent / "shared"

os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)
keep_freed_memory()


def shared_path(*parts: str) -> Path:
    """A file of the shared folder beside the project; the test is skipped where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not in ../shared")
    return path


def golden_path(name: str) -> Path:
    """A golden file: ours in tests/golden, or that of the shared folder."""
    ours = TESTS / "golden" / name
    return ours if ours.exists() else shared_path("golden", name)
