"""The files below a folder, in an order that does not depend on the file system."""

import os
from pathlib import Path

from amsdf.audio.files.sources import SUFFIXES


def recordings_below(folder: Path) -> list[Path]:
    """All sound files below a folder, in a fixed order."""
    files = [file for file in files_below(folder) if file.suffix.lower() in SUFFIXES]
    for file in files:
        if any("\udc80" <= letter <= "\udcff" for letter in str(file)):  # a byte that is no text
            raise ValueError(f"{str(file)!a}: its name is not UTF-8; rename it")
    return files


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, sorted; links are followed, each folder is entered once."""
    found: list[Path] = []
    entered: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_unreadable):
        state = os.stat(place)
        if (state.st_dev, state.st_ino) in entered:
            folders.clear()
            continue
        entered.add((state.st_dev, state.st_ino))
        folders.sort()
        found += [Path(place, name) for name in names]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise ValueError(
        f"{error.filename}: {error.strerror}; make the folder readable, or move it away"
    )
