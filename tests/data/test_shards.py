"""Recordings inside Parquet files of Hugging Face and tar archives of webdataset."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from amsdf.audio.files.reading import read_audio
from amsdf.audio.files.shards import ShardError, _audio_column, members, read_member
from amsdf.audio.files.sources import AudioError, is_there
from amsdf.data.audit.corpus_check import check_corpora
from amsdf.data.audit.shared_clips import find_files, find_shared
from amsdf.data.augmentations.recordings import find_recordings
from amsdf.data.batching import durations
from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.dataset import start_method
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.data.manifest_writing import write_manifest
from amsdf.data.recordings import gather_recordings, left_out
from amsdf.data.shards import find_shards

CLASSES = json.dumps({"info": {"features": {"label": {"names": ["spoof", "bonafide"]}}}})


def sound(seed: int, suffix: str = "flac") -> bytes:
    """1,600 samples of noise, another for each seed."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 1600).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, noise, 16_000, format=suffix)
    return file.getvalue()


def write_parquet(path: Path, labels: list, first: int = 0, about: str = "", **columns) -> Path:
    """A shard as `datasets` writes it: small row groups, `audio` = bytes and a name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = range(first, first + len(labels))
    audio = [{"bytes": sound(i), "path": f"clip_{i}.flac"} for i in ids]
    table = pl.DataFrame({"audio": audio, "label": labels, **columns})
    metadata = {"huggingface": about} if about else None
    table.write_parquet(path, row_group_size=2, metadata=metadata)
    return path


def write_tar(path: Path, files: Mapping[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            head = tarfile.TarInfo(name)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
    return path


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """The folder of a data set of the hub: two shards of train, one of test."""
    root = tmp_path / "hub"
    speakers = {"speaker": ["a", "b", "c"]}
    write_parquet(root / "data/train-00000-of-00002.parquet", [0, 1, 0], 0, CLASSES, **speakers)
    write_parquet(root / "data/train-00001-of-00002.parquet", [1, 1, 0], 3, CLASSES, **speakers)
    write_parquet(root / "data/test-00000-of-00001.parquet", [0, 1, 0], 6, CLASSES, **speakers)
    (root / "README.md").write_text("a card")
    return root


def test_folder_of_the_hub_is_a_manifest(hub):
    """Numbers of classes become their words; files of data sets are named by their splits."""
    manifest = read_manifest(hub)
    assert manifest.table["utt"].to_list() == [
        f"clip_{i}.flac" for i in (6, 7, 8, 0, 1, 2, 3, 4, 5)
    ]
    assert manifest.table["label"].to_list() == [0, 1, 0, 0, 1, 0, 1, 1, 0]
    assert manifest.table["split"].to_list() == ["test"] * 3 + ["train"] * 6
    assert manifest.table["speaker"].to_list() == ["a", "b", "c"] * 3
    assert manifest.table["path"][4] == str(hub / "data/train-00000-of-00002.parquet/1")
    for i, path in enumerate(manifest.select("train").table["path"]):
        assert np.array_equal(read_audio(path), read_audio(sound(i)))


def test_split_of_the_hub_by_reference(hub):
    assert len(open_corpus(f"{hub}/train", {})) == 6
    assert len(open_corpus("mine/test", {"mine": hub})) == 3


def test_words_of_labels_need_no_class_names(tmp_path):
    shard = write_parquet(tmp_path / "a.parquet", ["real", "fake"])
    assert read_manifest(shard).table["label"].to_list() == [1, 0]


def test_numbers_without_words_are_refused(tmp_path):
    shard = write_parquet(tmp_path / "a.parquet", [7, 5])
    with pytest.raises(ValueError, match=r"'5' is not understood.*numbers are not taken"):
        read_manifest(shard)


def test_shards_numbered_anew_get_ids_of_their_own(tmp_path):
    for name in ("train-0.parquet", "train-1.parquet"):
        write_parquet(tmp_path / name, ["real", "fake"])
    utts = read_manifest(tmp_path).table["utt"].to_list()
    assert utts == [f"train-{i}/clip_{j}.flac" for i in range(2) for j in range(2)]


def test_plain_table_is_a_manifest_as_before(tmp_path):
    pl.DataFrame({"path": ["a.wav"], "label": ["real"]}).write_parquet(tmp_path / "m.parquet")
    assert not find_shards(tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet").table["path"].to_list() == [
        str(tmp_path / "a.wav")
    ]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_written_manifest_finds_its_clips(hub, suffix, tmp_path):
    """A path says which clip it is in every table and in every folder that the table is in."""
    manifest = read_manifest(hub)
    out = tmp_path / "elsewhere" / f"manifest{suffix}"
    out.parent.mkdir()
    write_manifest(manifest, out)
    again = read_manifest(out)
    assert again.table["path"].to_list() == manifest.table["path"].to_list()
    assert np.array_equal(read_audio(again.table["path"][0]), read_audio(sound(6)))


def test_clip_is_read_without_the_others(hub, monkeypatch):
    """The tables are indexed once; rows of other groups are not decoded for a clip."""
    shard = hub / "data/train-00000-of-00002.parquet"
    assert read_member(shard, "2") == sound(2)
    with pytest.raises(ShardError, match="no row '3'; it has 3"):
        read_member(shard, "3")
    assert is_there(f"{shard}/2") and not is_there(f"{shard}/3") and not is_there(f"{shard}/x")


def test_row_without_bytes_is_named(tmp_path):
    table = pl.DataFrame({"audio": [{"bytes": b"", "path": "a.wav"}, {"bytes": None, "path": "b"}]})
    table.write_parquet(tmp_path / "a.parquet")
    for row, message in ((0, "has zero bytes"), (1, "names a file and holds no sound; embed it")):
        with pytest.raises(AudioError, match=message):
            read_audio(tmp_path / "a.parquet" / str(row))


def test_corpus_check_opens_shards(hub):
    report = check_corpora([read_manifest(hub)], progress=False)
    assert (report.num_listed, report.num_opened) == (9, 9)
    assert not {finding.kind for finding in report.findings} & {"missing", "unreadable"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_tar(
        tmp_path / "web/train-000000.tar",
        {
            "./a/x.1.flac": sound(0),
            "./a/x.1.json": '{"label": "real", "speaker": "s", "tags": ["no", "fact"]}',
            "y.mono.flac": sound(1),
            "y.cls": "fake\n",
            "y.jpg": b"no sound",
            "readme.txt": "no sample",
        },
    )


def test_webdataset_archive_is_a_manifest(archive):
    """Files of one name belong together, up to their last dot or their first."""
    archive.rename(archive.parent / "eval-000003.tar")
    manifest = read_manifest(archive.parent)
    table = manifest.table.select("utt", "label", "split", "speaker")
    assert table.rows() == [("a/x.1", 1, "eval", "s"), ("y.mono", 0, "eval", None)]
    for i, path in enumerate(manifest.table["path"]):
        assert np.array_equal(read_audio(path), read_audio(sound(i)))


def test_archive_is_indexed_once(archive, monkeypatch):
    read_member(archive, "y.mono.flac")
    monkeypatch.setattr(tarfile, "open", lambda *args: pytest.fail("read again"))
    assert read_member(archive, "y.mono.flac") == sound(1)
    assert set(members(archive)) >= {"a/x.1.flac", "y.cls"}


def test_archive_that_changed_is_indexed_again(archive):
    assert is_there(f"{archive}/y.mono.flac")
    write_tar(archive, {"z.flac": sound(5)})
    assert is_there(f"{archive}/z.flac") and not is_there(f"{archive}/y.mono.flac")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"nothing" * 200, "is not a whole tar archive"), (b"", "is not a whole tar archive")],
)
def test_what_is_no_archive_is_named(content, message, tmp_path):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path / "a.tar")


def test_archive_that_is_cut_off_is_named(archive):
    content = archive.read_bytes()
    archive.write_bytes(content[: content.index(sound(1)) + 100])
    with pytest.raises(ValueError, match=r"train-000000\.tar.*cut off|not a whole tar archive"):
        read_audio(f"{archive}/y.mono.flac")


def test_absent_member_is_named(archive):
    with pytest.raises(AudioError, match=r"has no member 'gone\.flac'"):
        read_audio(archive / "gone.flac")
    with pytest.raises(AudioError, match="no such file"):
        read_audio(archive.parent / "gone.tar" / "y.mono.flac")


def test_facts_that_are_no_json_are_named(tmp_path):
    shard = write_tar(tmp_path / "a.tar", {"x.flac": sound(0), "x.json": "{"})
    with pytest.raises(ValueError, match=r"x\.json is not JSON"):
        read_manifest(shard)


def test_workers_that_read_tables_are_not_forked(hub):
    """Measured: the threads of polars do not survive a fork, and the worker waits for ever."""
    _audio_column.cache_clear()
    assert start_method(pl.Series([str(hub / "a.wav"), str(hub / "x.parquet/1")])) == "forkserver"
    assert start_method(pl.Series([str(hub / "a.wav"), str(hub / "x.tar/y.mono.flac")])) == "fork"
    read_manifest(hub)  # such as the noise that is added to other clips
    assert start_method(pl.Series([str(hub / "a.wav")])) == "forkserver"


def test_shards_are_scored_unlabelled(hub, archive):
    """`amsdf score` takes a shard or a folder of them like a folder of recordings."""
    assert len(gather_recordings([hub]).table) == 9
    assert len(gather_recordings([archive]).table) == 2
    recordings = gather_recordings([archive.parent])
    assert left_out([archive.parent], recordings) == []


def test_clips_in_shards_have_durations_and_make_noise(archive, hub):
    assert durations(read_manifest(archive)).tolist() == [0.1, 0.1]
    assert durations(read_manifest(hub)).tolist() == [0.1] * 9
    assert len(find_recordings("noise", {"noise": hub})) == 9


def test_clips_that_shards_share_are_found(archive, hub, tmp_path):
    """The same member under another id, and a file equal to a member."""
    (tmp_path / "z.flac").write_bytes(sound(1))
    rows = {"utt": ["u"], "path": [f"{archive}/y.mono.flac"], "label": [1], "corpus": ["one"]}
    one = Manifest("one", pl.DataFrame(rows))
    other = Manifest("two", pl.DataFrame({**rows, "utt": ["v"], "corpus": ["two"]}))
    copy = Manifest(
        "three", pl.DataFrame({**rows, "corpus": ["three"], "path": [str(tmp_path / "z.flac")]})
    )
    assert find_shared(find_files(one), find_files(other)).rows() == [("u", "v")]
    assert find_shared(find_files(one), find_files(copy)).rows() == [("u", "u")]
    table = read_manifest(hub)
    assert len(find_shared(find_files(table), find_files(table))) == 9
