"""Flags of the form NAME=PATH."""

from collections.abc import Sequence


def named_paths(options: Sequence[str]) -> dict[str, str]:
    """`NAME=PATH` each -> a mapping."""
    for option in options:
        if not all(option.partition("=")[::2]):
            raise ValueError(f"--data: {option!r} is not of the form name=path")
    return dict(option.split("=", 1) for option in options)
