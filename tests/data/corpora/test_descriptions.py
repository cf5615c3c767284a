"""A corpus of one's own in YAML, and how wrong descriptions are answered."""

import logging
from pathlib import Path

import pytest
from command_line import amsdf
from corpus_trees import make_tree

from amsdf.data.corpora.finding.corpus import open_corpus, open_splits

MINE = """\
title: Mine
source: https://example.org
splits: {train: {}, eval: {list: test}, later: {}}
default_split: eval
counts: {eval: [1, 2]}
rows:
  - table: "lists/{list}.txt"
    separator: bar
    header: false
    columns: [utt, _, talker, how, label]
    audio: "{split}/{talker}/{utt}.*"
    label: {column: label, bonafide: [echt], spoof: [falsch], skip: [unklar]}
    extract: {talker: "^(?P<speaker>[a-z]+)"}
    translate: {attack: {column: how, words: {"1": tts, "0": "-"}}}
    constants: {language: de}
    drop: [how, talker]
    splits: [eval]
  - recordings: "{split}/{speaker}/*"
    label: bonafide
    splits: [train, later]
"""
TREE = {
    "lists/test.txt": (
        "a|x|ann1|0|echt\nb|x|bob2|1|falsch\nc|x|bob2|2|falsch\nd|x|bob2|2|unklar\n"
    ),
    "eval/ann1/a.wav": "",
    "eval/bob2/b.flac": "",
    "train/cy/e.wav": "",
}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    make_tree(tmp_path, {"mine.yaml": MINE, **TREE})
    return tmp_path / "mine.yaml"


def test_own_description_is_a_corpus(mine):
    """Columns by place, by pattern and by translation; the suffix is what the files have."""
    manifest = open_corpus(str(mine), {})
    assert manifest.name == "mine/eval"
    table = manifest.table.select("utt", "label", "speaker", "attack", "language")
    assert table.rows() == [
        ("a", 1, "ann", "-", "de"),
        ("b", 0, "bob", "tts", "de"),
        ("c", 0, "bob", "2", "de"),
    ]
    root = mine.parent
    assert manifest.table["path"].to_list() == [
        str(root / name) for name in ("eval/ann1/a.wav", "eval/bob2/b.flac", "eval/bob2/c.wav")
    ]
    assert "talker" not in manifest.table.columns


def test_split_of_an_own_description(mine):
    manifest = open_corpus(f"{mine}/train", {})
    assert manifest.table["utt"].to_list() == ["train/cy/e.wav"]
    assert manifest.table["speaker"].to_list() == ["cy"]
    assert open_corpus("own/train", {"own": mine}).name == "own/train"
    with pytest.raises(ValueError, match=r"no split 'dev'.*It has: train, eval, later"):
        open_corpus(f"{mine}/dev", {})


def test_splits_that_are_not_there_are_left_out_and_named(mine, caplog):
    with caplog.at_level(logging.WARNING):
        manifests = open_splits(str(mine), {})
    assert [manifest.name for manifest in manifests] == ["mine/train", "mine/eval"]
    assert "left out: corpus 'mine'" in caplog.text and "later/" in caplog.text


def test_root_may_be_elsewhere(mine, tmp_path):
    moved = tmp_path / "descriptions" / "other.yaml"
    moved.parent.mkdir()
    moved.write_text("root: ..\n" + MINE)
    assert open_corpus(str(moved), {}).name == "other/eval"


def test_corpora_check_takes_a_description(mine, capsys):
    """Its missing and its empty clips are found, so the check fails and says why."""
    done = amsdf(capsys, "corpora", "check", mine, "--quiet")
    assert done.status == 1
    assert "mine/eval" in done.out and "missing" in done.out
    assert "were published" not in done.out
    mine.write_text(MINE.replace("[1, 2]", "[7, 2]"))
    done = amsdf(capsys, "corpora", "check", f"{mine}/eval", "--quiet")
    assert "has 1 real clips where 7 were published" in done.out


def test_name_of_a_known_corpus_is_refused(mine, capsys):
    mine.rename(mine.parent / "decro.yaml")
    done = amsdf(capsys, "corpora", "check", mine.parent / "decro.yaml", "--quiet")
    assert done.status and "'decro' is a corpus of this package" in done.err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("spoof: [falsch]", "spoof: [fake]", "'falsch' is not understood.*echt, fake, unklar"),
        ("    audio:", "    adio:", r"unknown key 'rows\.0\.adio'\. Did you mean 'audio'"),
        ("default_split: eval", "default_split: dev", "there is no split 'dev'"),
        ("bonafide: [echt]", "bonafid: [echt]", r"unknown key .*bonafid.*Did you mean 'bonafide'"),
        ("  - table:", "  - shards: x.tar\n    table:", "give one of table, recordings and shards"),
        ("(?P<speaker>[a-z]+)", "(?P<speaker>[a-z]+", "description of 'mine'.*regex"),
        ("{talker}/{utt}", "{teller}/{utt}", "needs a column 'teller'; there are utt, talker"),
        ("separator: bar", "separator: pipe", r"rows\.0\.separator: .*'bar'"),
        ("drop: [how, talker]", "drop: [how, talker", "mine.yaml"),
        ("lists/{list}", "lists/{nothing}", r"Expected layout: .*lists/\{nothing\}\.txt"),
    ],
)
def test_wrong_description_is_named(old, new, message, mine):
    assert MINE.count(old) == 1 or old == "{talker}/{utt}"
    mine.write_text(MINE.replace(old, new))
    with pytest.raises(ValueError, match=message) as error:
        open_corpus(str(mine), {})
    assert "\n" not in str(error.value)


def test_description_without_words_takes_ours_and_refuses_others(tmp_path):
    text = "rows: [{table: list.csv, columns: {utt: id, label: truth}, audio: '{utt}.wav'}]"
    tree = {"own.yaml": text, "list.csv": "id,truth\na,Real\nb,FAKE\n", "a.wav": ""}
    make_tree(tmp_path, tree)
    assert open_corpus(str(tmp_path / "own.yaml"), {}).table["label"].to_list() == [1, 0]
    make_tree(tmp_path, {"list.csv": "id,truth\na,Real\nb,maybe\n"})
    with pytest.raises(ValueError, match="'maybe' is not understood"):
        open_corpus(str(tmp_path / "own.yaml"), {})


def test_description_of_shards(tmp_path):
    """Numbers that a data set leaves unnamed get their words from the description."""
    from test_shards import write_parquet

    write_parquet(tmp_path / "data/train-00000-of-00001.parquet", [1, 0, 1])
    text = (
        "splits: {train: {}}\n"
        "rows:\n"
        "  - shards: data/{split}-*.parquet\n"
        "    label: {column: label, bonafide: ['1'], spoof: ['0']}\n"
    )
    make_tree(tmp_path, {"own.yaml": text})
    manifest = open_corpus(str(tmp_path / "own.yaml"), {})
    assert manifest.table["label"].to_list() == [1, 0, 1]
    assert manifest.table["path"][2].endswith("train-00000-of-00001.parquet/2")
