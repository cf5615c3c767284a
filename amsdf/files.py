"""Writing that never leaves half a file or half a folder behind."""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a temporary file beside `path`, then rename it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        _sync_file(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`text` in UTF-8, atomically."""
    write_atomically(path, lambda temporary: _dump(temporary, text))


def _dump(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on an empty folder, then put it in the place of `folder`.

    A kill or a power cut at any point leaves the old folder or the new one, whole, where
    `recover_folder` finds it. The old one is in its place while `write` works.
    """
    folder = folder.resolve()  # the folder that a link points to is replaced, not the link
    fresh, previous = _beside(folder, "fresh"), _beside(folder, "previous")
    recover_folder(folder)

    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    _sync_below(fresh)  # else a power cut may leave the new name without its content

    if folder.exists():
        folder.rename(previous)
    fresh.rename(folder)
    _sync_folder(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def recover_folder(folder: Path) -> None:
    """Undo a replacement that was cut off between its two renames."""
    folder = folder.resolve()
    previous = _beside(folder, "previous")
    if not previous.exists():
        return
    if folder.exists():
        shutil.rmtree(previous)
    else:
        previous.rename(folder)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """A hard link where the file system has them, else a copy; a symbolic link stays one."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _sync_below(folder: Path) -> None:
    """All files and folders below, from the innermost out, onto the disk."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            file = Path(place, name)
            if not file.is_symlink():
                _sync_file(file)
        _sync_folder(Path(place))


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Onto the disk: the names in a folder. Not every system can; there it is left out."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path) -> None:
    """Make an output folder, or say why it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{folder}: cannot be made ({error.strerror}); give another --out"
        ) from None
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{folder}: cannot be written to; give another --out")


def make_folder_of(file: Path) -> None:
    """Make the folder that an output file will be in, or say why it cannot be made."""
    if file.is_dir():
        raise ValueError(f"{file}: is a folder; --out takes the name of a file here")
    make_folder(file.parent)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}.{suffix}")
