"""Files and folders are replaced whole: a stop at any point leaves the old or the new."""

import os
from pathlib import Path

import pytest

from amsdf.files import recover_folder, replace_folder, write_atomically, write_text


class Stopped(Exception):
    """Stands for a kill."""


def half(path: Path) -> None:
    path.write_text("ha")
    raise Stopped


def fill(folder: Path, text: str = "new") -> None:
    (folder / "inner").mkdir()
    (folder / "inner/a.txt").write_text(text)
    (folder / "b.txt").write_text(text)


def old_folder(folder: Path) -> Path:
    folder.mkdir()
    fill(folder, "old")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


OLD, NEW = ({"b.txt": word, "inner/a.txt": word} for word in ("old", "new"))


@pytest.mark.parametrize("before", ["whole", None])
def test_a_file_half_written_is_never_seen(before: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    if before:
        path.write_text(before)
    with pytest.raises(Stopped):
        write_atomically(path, half)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == (
        [("file.txt", before)] if before else []
    )


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path, seen = tmp_path / "file.txt", []
    path.write_text("old")

    def write(place: Path) -> None:
        place.write_text("ne")
        seen.append(path.read_text())
        place.write_text("new")
        seen.append(path.read_text())

    write_atomically(path, write)
    assert seen == ["old", "old"] and path.read_text() == "new"


def test_a_folder_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    folder, seen = old_folder(tmp_path / "folder"), []

    def write(fresh: Path) -> None:
        seen.append(content(folder))
        fill(fresh)
        seen.append(content(folder))

    replace_folder(folder, write)
    assert seen == [OLD, OLD] and content(folder) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_half_written_replaces_nothing(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "folder")

    def write(fresh: Path) -> None:
        fill(fresh)
        raise Stopped

    with pytest.raises(Stopped):
        replace_folder(folder, write)
    assert content(folder) == OLD
    replace_folder(folder, fill)  # what the first try left is in nobody's way
    assert content(folder) == NEW


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_stop_at_a_rename_loses_nothing(renames: int, tmp_path: Path, monkeypatch) -> None:
    folder, done = old_folder(tmp_path / "folder"), []
    rename = Path.rename

    def counted(path: Path, target: Path) -> Path:
        if len(done) == renames:
            raise Stopped
        done.append(target)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted)
        patch.setattr("shutil.rmtree", lambda *given, **options: None)
        if renames < 2:
            with pytest.raises(Stopped):
                replace_folder(folder, fill)
        else:
            replace_folder(folder, fill)
    recover_folder(folder)
    assert content(folder) == (NEW if renames == 2 else OLD)


def test_an_earlier_stop_is_made_good_before_anything_is_written(tmp_path: Path) -> None:
    """Who writes then finds the old folder in its place, and may keep parts of it."""
    folder = tmp_path / "folder"
    old_folder(tmp_path / ".folder.previous")
    seen = []
    replace_folder(folder, lambda fresh: seen.append(content(folder)))
    assert seen == [OLD]


def test_everything_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch) -> None:
    folder, events = old_folder(tmp_path / "folder"), []
    sync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        events.append(os.fstat(handle).st_ino)
        sync(handle)

    def renamed(path: Path, target: Path) -> Path:
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    replace_folder(folder, fill)

    places = [folder, folder / "inner", folder / "inner/a.txt", folder / "b.txt"]
    first = events.index("rename")
    assert {place.stat().st_ino for place in places} <= set(events[:first])
    last = len(events) - events[::-1].index("rename")
    assert tmp_path.stat().st_ino in events[last:], "the new name too"

    events.clear()
    write_text(tmp_path / "file.txt", "new")
    assert events == [(tmp_path / "file.txt").stat().st_ino, tmp_path.stat().st_ino]


def test_a_linked_folder_is_replaced_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    folder = old_folder(tmp_path / "disk/folder")
    (tmp_path / "link").symlink_to(folder)
    replace_folder(tmp_path / "link", fill)
    assert (tmp_path / "link").is_symlink() and content(folder) == NEW
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["folder"]
