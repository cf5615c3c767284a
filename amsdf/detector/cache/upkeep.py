"""What a cache holds, and how it becomes smaller."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from amsdf.detector.cache.store import ABOUT, ViewStore


@dataclass(frozen=True)
class Held:
    """What is kept of one encoder: how many views and bytes, and their largest error.

    The error is a share of the largest value of a view, made by the number format it is kept in.
    """

    encoder: str
    about: Mapping[str, Any]
    views: int
    size: int
    error: float


def held(store: ViewStore) -> list[Held]:
    """What there is, by encoder."""
    found = []
    for encoder in store.encoders():
        files, about = list(store.files(encoder)), store.described(encoder)
        exact = about["stored"] == "fp32"
        error = 0.0 if exact else max(map(_error_of, files), default=0.0)
        size = sum(file.stat().st_size for file in files)
        found.append(Held(encoder, about, len(files), size, error))
    return found


def _error_of(path: Path) -> float:
    try:
        with safe_open(path, "pt") as file:
            return float(file.metadata()["error"])
    except (OSError, SafetensorError):  # removed, or damaged: it is made again when it is wanted
        return 0.0


def prune(
    store: ViewStore,
    unused_since: float | None = None,
    most_bytes: int | None = None,
    encoder: str | None = None,
) -> tuple[int, int]:
    """Remove views -> how many, and their bytes.

    Args:
        store: Where they are.
        unused_since: Those that were not used after this time.
        most_bytes: The longest unused ones, until no more bytes than these are left.
        encoder: All of this encoder.
    """
    store.sweep()
    known = store.encoders()
    if encoder is not None and encoder not in known:
        raise ValueError(f"no encoder {encoder!r} in it; it holds {', '.join(known) or 'nothing'}")
    states = {file: file.stat() for name in known for file in store.files(name)}
    left = sum(state.st_size for state in states.values())
    removed, size = 0, 0
    for file, state in sorted(states.items(), key=lambda each: each[1].st_mtime):
        old = unused_since is not None and state.st_mtime < unused_since
        too_much = most_bytes is not None and left - size > most_bytes
        if old or too_much or file.parent.parent.name == encoder:
            file.unlink(missing_ok=True)
            removed, size = removed + 1, size + state.st_size
    for name in known:
        if not any(store.files(name)):
            _remove_empty(store.folder / name)
    return removed, size


def _remove_empty(folder: Path) -> None:
    """Unless a process has written into it in the meantime."""
    for inner in folder.glob("??"):
        if not any(inner.iterdir()):
            inner.rmdir()
    if [path.name for path in folder.iterdir()] == [ABOUT]:
        (folder / ABOUT).unlink()
        folder.rmdir()
