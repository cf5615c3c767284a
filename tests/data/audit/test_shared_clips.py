"""Clips that two sets share, under whatever name."""

import os
import shutil

import polars as pl
import pytest
from toys import tone, write_wav

from amsdf.data.audit.shared_clips import find_files, find_shared
from amsdf.data.manifest import Manifest


def manifest(corpus: str, *clips: tuple, **columns) -> Manifest:
    """Clips as (utt, path)."""
    utts, paths = zip(*clips, strict=True)
    table = {"utt": utts, "path": [str(path) for path in paths], "label": [1] * len(utts)}
    table["corpus"] = [corpus] * len(utts)
    return Manifest(corpus, pl.DataFrame({**table, **columns}))


def shared(first: Manifest, second: Manifest) -> list[tuple[str, str]]:
    return find_shared(find_files(first), find_files(second)).rows()


@pytest.fixture
def sounds(tmp_path):
    """Five recordings of one size."""
    return [write_wav(tmp_path / f"{n}.wav", tone(100 + n, seed=n)) for n in range(5)]


@pytest.mark.parametrize("make", [shutil.copy, os.link, os.symlink])
def test_copies_and_links_are_the_same_clip(tmp_path, sounds, make):
    make(sounds[1], tmp_path / "again.wav")
    one = manifest("one", ("a", sounds[0]), ("b", sounds[1]))
    other = manifest("two", ("c", sounds[2]), ("d", tmp_path / "again.wav"))
    assert shared(one, other) == [("b", "d")]


def test_an_utterance_of_the_same_corpus_is_the_same_clip(sounds):
    one = manifest("one", ("a", sounds[0]))
    assert shared(one, manifest("one", ("a", sounds[1]))) == [("a", "a")]
    assert shared(one, manifest("two", ("a", sounds[1]))) == []
    assert shared(one, manifest("two", ("a", "/nowhere.wav"))) == []


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("", ""), ("1", "2"), True),
        (("0", "1"), ("1", "2"), False),
        (("0", "1.5"), ("1", "2"), True),
        (("2", ""), ("", "2"), False),
    ],
)
def test_parts_of_a_recording_are_shared_where_they_overlap(tmp_path, sounds, first, second, same):
    copy = shutil.copy(sounds[0], tmp_path / "copy.wav")
    one = manifest("one", ("a", sounds[0]), start=[first[0]], end=[first[1]])
    for path in (sounds[0], copy):
        other = manifest("two", ("b", path), start=[second[0]], end=[second[1]])
        assert shared(one, other) == [("a", "b")] * same


def test_files_that_differ_only_at_their_ends_are_told_apart(tmp_path, sounds):
    """Of one size, and the same in the middle."""
    data = bytearray(sounds[0].read_bytes())
    data[-2] ^= 1
    (tmp_path / "other.wav").write_bytes(bytes(data))
    assert (
        shared(manifest("one", ("a", sounds[0])), manifest("b", ("b", tmp_path / "other.wav")))
        == []
    )
