"""Where tests find stored numbers and real recordings; for every folder of tests."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SHARED = TESTS.parent.parent / "shared"


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
