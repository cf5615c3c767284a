"""Manifests: every layout and label word, columns kept, paths, splits, identity."""

import json

import polars as pl
import pytest
from toys import toy_corpus, write_wav

from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.manifest import Manifest, join_manifests, label_of, read_manifest

ROWS = [
    {"utt": "one", "path": "clips/1.wav", "label": "bonafide", "codec": "mp3", "count": "07"},
    {"utt": "two two", "path": "clips/2 b.wav", "label": "spoof", "codec": "", "count": "8"},
]


def write_table(path, rows=ROWS):
    table = pl.DataFrame(rows)
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".tsv":
        table.write_csv(path, separator="\t")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        table.write_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".CSV"])
def test_every_table_format_reads_the_same(tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    if suffix == ".CSV":
        write_table(tmp_path / "mine.csv").rename(path)
    else:
        write_table(path)
    manifest = read_manifest(path)
    assert manifest.name == "mine" and len(manifest) == 2
    assert manifest.table.columns == ["utt", "path", "label", "corpus", "codec", "count"]
    assert manifest.table["utt"].to_list() == ["one", "two two"]
    assert manifest.table["path"].to_list() == [str(tmp_path / row["path"]) for row in ROWS]
    assert manifest.table["label"].to_list() == [1, 0]
    assert manifest.table["count"].to_list() == ["07", "8"], "kept as it was written"
    assert set(manifest.table["corpus"]) == {"mine"}


@pytest.mark.parametrize(
    ("word", "label"),
    [(word, 1) for word in ("bonafide", "bona-fide", "genuine", "real", "human", "REAL", " Human ")]
    + [(word, 0) for word in ("spoof", "fake", "deepfake", "Fake")],
)
def test_words_for_labels(tmp_path, word, label):
    rows = [{"path": "a.wav", "label": word}]
    assert read_manifest(write_table(tmp_path / "a.csv", rows)).table["label"][0] == label


@pytest.mark.parametrize("word", ["maybe", "2", "-1", "true", "spooof", "bona fide?", "1.0"])
def test_any_other_word_is_refused_by_name(tmp_path, word):
    assert label_of(word) is None
    rows = [{"path": "a.wav", "label": "real"}, {"path": "b.wav", "label": word}]
    with pytest.raises(
        ValueError, match="is not understood; use one of bonafide, genuine"
    ) as error:
        read_manifest(write_table(tmp_path / "a.csv", rows))
    assert repr(word) in str(error.value) and str(tmp_path / "a.csv") in str(error.value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_numbers_are_no_labels(tmp_path, suffix):
    """Trap: a corpus where 1 means fake would turn round unnoticed."""
    rows = [{"path": "a.wav", "label": 1}, {"path": "b.wav", "label": 0}]
    with pytest.raises(ValueError, match=r"label '0' is not understood.*numbers are not taken"):
        read_manifest(write_table(tmp_path / f"a{suffix}", rows))


def test_absolute_paths_stay_and_without_ids_the_path_is_the_id(tmp_path):
    rows = [{"path": "/far/a.wav", "label": "real"}, {"path": "b.wav", "label": "fake"}]
    table = read_manifest(write_table(tmp_path / "a.csv", rows)).table
    assert table["path"].to_list() == ["/far/a.wav", str(tmp_path / "b.wav")]
    assert table["utt"].to_list() == ["/far/a.wav", "b.wav"]


@pytest.mark.parametrize("names", [("real", "fake"), ("bonafide", "spoof"), ("Human", "deepfake")])
def test_a_folder_of_two_classes(tmp_path, names):
    for name in names:
        for file in ("b.wav", "a.FLAC", "deeper/c d.mp3", "notes.txt"):
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_bytes(b"")
    table = read_manifest(tmp_path).table
    assert len(table) == 6
    for utt, path, label in table.select("utt", "path", "label").iter_rows():
        assert label == (utt.split("/")[0] == names[0]) and path == str(tmp_path / utt)


def test_unlabelled_files_and_folders_are_for_score_alone(tmp_path):
    for file in ("b.wav", "a/x.opus", "c.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    table = read_manifest(tmp_path, labelled=False).table
    assert table["utt"].to_list() == ["a/x.opus", "b.wav"] and table["label"].null_count() == 2
    assert read_manifest(tmp_path / "b.wav", labelled=False).table["utt"].to_list() == ["b.wav"]
    for path in (tmp_path, tmp_path / "b.wav"):
        with pytest.raises(ValueError, match=rf"{path}: has no labels; give a manifest"):
            read_manifest(path)
    rows = [{"path": "b.wav", "label": "real"}, {"path": "c.wav", "label": None}]
    path = write_table(tmp_path / "half.jsonl", rows)
    assert read_manifest(path, labelled=False).table["label"].null_count() == 2
    with pytest.raises(ValueError, match="1 rows have no label"):
        read_manifest(path)


def test_splits(tmp_path):
    manifest = read_manifest(toy_corpus(tmp_path / "toy", clips=1))
    part = manifest.select("dev")
    assert part.name == "toy/dev" and set(part.table["split"]) == {"dev"} and len(part) == 2
    with pytest.raises(ValueError, match=r"toy: no split 'deev'. Did you mean 'dev'\? It has: dev"):
        manifest.select("deev")
    whole = read_manifest(write_table(tmp_path / "a.csv"))
    with pytest.raises(ValueError, match="a: has no column 'split'"):
        whole.select("dev")


@pytest.mark.parametrize("empty", ["", None])
def test_times_are_numbers_and_an_empty_one_is_none(tmp_path, empty):
    rows = [
        {**row, "start": start, "end": "2"} for row, start in zip(ROWS, ("0.5", empty), strict=True)
    ]
    table = read_manifest(write_table(tmp_path / "a.csv", rows)).table
    assert table["start"].to_list() == [0.5, None] and table["end"].to_list() == [2.0, 2.0]


@pytest.mark.parametrize("time", ["soon", "nan", "inf", "0:05"])
def test_other_times_are_refused(tmp_path, time):
    path = write_table(tmp_path / "a.csv", [{**ROWS[0], "end": time}])
    with pytest.raises(ValueError, match=rf"a\.csv: end '{time}' is not a number of seconds"):
        read_manifest(path)


def test_the_digest_changes_with_what_decides_scores_and_not_with_the_place(tmp_path):
    """Trap: stale result; a score file is kept only for the same digest."""
    digests = set()
    changes = [{}, {"utt": "x"}, {"label": "fake"}, {"path": "clips/9.wav"}, {"codec": "aac"}]
    for index, change in enumerate([*changes, {"start": "1"}, {"start": "2"}]):
        folder = tmp_path / str(index)
        folder.mkdir()
        digests.add(read_manifest(write_table(folder / "a.csv", [{**ROWS[0], **change}])).digest)
    assert len(digests) == 7
    (tmp_path / "moved").mkdir()
    moved = read_manifest(write_table(tmp_path / "moved/a.csv", [ROWS[0]]))
    assert moved.digest in digests


def test_two_rows_of_one_id_and_none_at_all(tmp_path):
    table = read_manifest(write_table(tmp_path / "a.csv")).table
    with pytest.raises(ValueError, match="m: utterance id 'one' occurs 2 times; ids must be"):
        Manifest("m", table[[0, 1, 0]])
    elsewhere = table[:1].with_columns(path=pl.lit("/elsewhere.wav"))
    with pytest.raises(ValueError, match="m: utterance id 'one' occurs 2 times"):
        Manifest("m", pl.concat([table, elsewhere]))
    with pytest.raises(ValueError, match="m: lists no utterance"):
        Manifest("m", table[:0])
    with pytest.raises(ValueError, match="m: 1 bona fide and 0 spoof utterances; an EER needs"):
        Manifest("m", table[:1]).require_both_classes()


def test_joined_corpora_keep_ids_that_are_their_own(tmp_path):
    """An id that occurs in two corpora gets the corpus in front, however they are joined."""
    folders = []
    for name, utt in (("one", "x"), ("two", "x"), ("three", "y")):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        write_table(folders[-1] / "manifest.csv", [{**ROWS[0], "utt": utt}])
    one, two, three = (read_manifest(folder) for folder in folders)
    assert join_manifests([one]) is one
    joined = join_manifests([one, three])
    assert joined.name == "one+three" and joined.table["utt"].to_list() == ["x", "y"]
    assert join_manifests([one, two]).table["utt"].to_list() == ["one/x", "two/x"]
    reference = f"{folders[0]}+{folders[1]}"
    joined = open_corpus(reference, {})
    assert joined.name == reference and joined.table["utt"].to_list() == ["one/x", "two/x"]
    with pytest.raises(ValueError, match="id 'one/x' occurs 2 times"):
        join_manifests([one, one])


def test_a_manifest_beside_the_classes_is_what_counts(tmp_path):
    write_wav(tmp_path / "real/a.wav", pl.Series([0.1] * 400).to_numpy())
    (tmp_path / "fake").mkdir()
    write_table(tmp_path / "manifest.csv")
    manifest = read_manifest(tmp_path)
    assert manifest.name == tmp_path.name and manifest.table["utt"].to_list() == ["one", "two two"]


def test_jsonl_keeps_keys_that_come_late(tmp_path):
    """And numbers as split or speaker are names."""
    rows = [{"path": f"{i}.wav", "label": "real", "speaker": 7, "split": 1} for i in range(150)]
    rows += [{"path": "x.wav", "label": "fake", "attack": "A01", "speaker": 7, "split": 2}]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert manifest.table["attack"][-1] == "A01" and manifest.table["speaker"][0] == "7"
    assert len(manifest.select("2")) == 1
