"""Corpus readers on small trees in the published layout, names, aliases and roots."""

import logging
import re
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from corpus_trees import DF21, EXPECTED, FAC_HEADER, FAC_ROWS, LA19, LA21, TREES, make_tree
from kept_files import shared_path

from amsdf import registry
from amsdf.audio.files.reading import read_audio
from amsdf.data.corpora.finding.corpus import (
    ALIASES,
    Corpus,
    open_corpus,
    open_splits,
    split_reference,
)
from amsdf.data.corpora.finding.roots import find_roots, roots_here
from amsdf.data.manifest import Manifest


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    return {name: make_tree(tmp_path / name, files) for name, files in TREES.items()}


def row_of(manifest: Manifest, utt: str) -> dict:
    return manifest.table.row(by_predicate=pl.col("utt") == utt, named=True)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case[0])
def test_reader(case, roots):
    """Counts, ids, paths and kept columns of every layout.

    Traps of the protocols: `bona-fide` with a hyphen, `bonafide` in the attack column of 2021 LA,
    a key that is not the last column (DF), a `.tsv` without header or tabs (ASVspoof 5), base names
    that repeat (Fake-or-Real, WaveFake), unquoted tables (MLAAD), rows of ten under nine headers
    (FakeAVCeleb), files beside the protocol (2019), trailing blanks and CRLF.
    """
    reference, bonafide, spoof, utt, path, columns = case
    manifest = open_corpus(reference, roots)
    assert (manifest.count(1), manifest.count(0)) == (bonafide, spoof)
    name, split = split_reference(reference)
    assert manifest.name == f"{name}/{split or registry.load('corpora', name).default_split}"
    assert manifest.table["corpus"].unique().to_list() == [name]
    row = row_of(manifest, utt)
    assert columns.items() <= row.items()
    assert path is None or row["path"] == str(roots[name] / path)


def test_every_corpus_is_tested_and_described():
    assert set(TREES) == set(registry.names("corpora"))
    for name in registry.names("corpora"):
        corpus: Corpus = registry.load("corpora", name)
        assert corpus.name == name
        assert corpus.default_split in corpus.splits
        assert not set(corpus.splits) & set(corpus.pooled)
        assert set(corpus.counts) <= {*corpus.splits, *corpus.pooled}
        assert "http" in corpus.source and corpus.layout.strip()
    for target in ALIASES.values():
        name, split = target.split("/")
        assert split in registry.load("corpora", name).splits


@pytest.mark.parametrize("name", ["asvspoof2021-la", "asvspoof2021-df"])
def test_published_counts_add_up(name):
    counts = registry.load("corpora", name).counts
    parts = [counts[split] for split in ("eval", "progress", "hidden")]
    assert tuple(np.sum(parts, axis=0)) == counts["all"]


@pytest.mark.parametrize("name", sorted(TREES))
def test_wrong_layout_shows_the_right_one(name, tmp_path):
    with pytest.raises(ValueError, match=r"Expected layout: \S") as error:
        open_corpus(name, {name: tmp_path})
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_key_of_2021_under_the_name_of_2019_is_refused(tmp_path):
    """Trap: a 2019 reader sees only the bona fide rows of a 2021 key, a set that looks valid."""
    make_tree(tmp_path, {f"{LA19}.eval.trl.txt": LA21})
    with pytest.raises(ValueError, match="has 8 columns, not 5"):
        open_corpus("asvs2019la", {"asvspoof2019-la": tmp_path})


def test_df_key_of_eight_columns(tmp_path):
    """Trap: readers that unpack a fixed number of columns fail on one of the released keys."""
    key = "\n".join(" ".join(line.split()[:8]) for line in DF21.splitlines())
    sound = "ASVspoof2021_DF_eval/flac/DF_E_2000024.flac"
    make_tree(tmp_path, {"keys/DF/CM/trial_metadata.txt": key, sound: ""})
    manifest = open_corpus("asvs2021df", {"asvspoof2021-df": tmp_path})
    assert (manifest.count(1), manifest.count(0)) == (1, 1)
    assert manifest.table["vocoder"].to_list() == ["-", "-"]


def test_unknown_label_word_is_named(tmp_path):
    make_tree(tmp_path, {"testR2/label.txt": "a.wav genuine\nb.wav maybe\n"})
    with pytest.raises(ValueError, match="'maybe' is not understood"):
        open_corpus("add2023", {"add2023": tmp_path})


def test_duplicate_trial_is_refused(tmp_path):
    make_tree(tmp_path, {f"{LA19}.eval.trl.txt": "s u - A1 spoof\ns u - - bonafide\n"})
    with pytest.raises(ValueError, match="'u' occurs 2 times"):
        open_corpus("asvs2019la", {"asvspoof2019-la": tmp_path})


def test_fakeavceleb_dev_is_not_in_eval(roots, caplog):
    """Trap: AMSDF's development set is the first 30 % of the list it is tested on."""
    with caplog.at_level(logging.WARNING):
        dev, test = (
            set(open_corpus(f"fakeavceleb/{part}", roots).table["path"]) for part in ("dev", "eval")
        )
    assert len(dev) == int(0.3 * len(FAC_ROWS)) == 2
    assert not dev & test and len(test) == 4
    assert "1 rows list a file again" in caplog.text


def test_fakeavceleb_as_published_holds_every_row(roots):
    manifest = open_corpus("fakeavceleb/as-published", roots)
    assert len(manifest) == len(FAC_ROWS)
    assert manifest.name == "fakeavceleb/as-published"
    assert row_of(manifest, "FakeVideo-RealAudio/id1/2.mp4#2")["method"] == "fsgan"


def test_fakeavceleb_label_rules(roots):
    """A fake face with its real voice is bona fide by its sound, fake by the whole clip."""
    by_sound = open_corpus("fakeavceleb/as-published", roots)
    by_clip = open_corpus("fakeavceleb/as-published-by-clip", roots)
    assert (by_sound.count(1), by_clip.count(1)) == (5, 3)
    assert row_of(by_clip, "FakeVideo-RealAudio/id1/2.mp4")["attack"] == "faceswap"


def test_fakeavceleb_inside_its_own_folder(tmp_path):
    folder = "FakeAVCeleb/RealVideo-RealAudio/id0"
    make_tree(tmp_path, {"meta_data.csv": FAC_HEADER + FAC_ROWS[0], f"{folder}/0.mp4": ""})
    manifest = open_corpus("fakeavceleb/as-published", {"fakeavceleb": tmp_path})
    assert Path(manifest.table["path"][0]).is_file()


def test_paths_lead_to_sound(tmp_path):
    make_tree(tmp_path, TREES["in-the-wild"])
    sound = np.sin(np.arange(1600) / 9).astype(np.float32) / 2
    soundfile.write(tmp_path / "release_in_the_wild" / "1.wav", sound, 16_000)
    row = row_of(open_corpus("itw", {"in-the-wild": tmp_path}), "1.wav")
    assert len(read_audio(row["path"])) == 1600


def test_ljspeech_reader_finds_nested_folders(tmp_path):
    """M-AILABS, the real half of MLAAD, is many such folders; ids repeat between them."""
    for book in ("en/by_book/a", "en/by_book/b"):
        make_tree(tmp_path, {f"{book}/metadata.csv": "x_1|text|text\n", f"{book}/wavs/x_1.wav": ""})
    manifest = open_corpus("ljspeech", {"ljspeech": tmp_path})
    assert manifest.table["utt"].to_list() == ["en/by_book/a/x_1", "en/by_book/b/x_1"]
    assert manifest.table["path"][1] == str(tmp_path / "en/by_book/b/wavs/x_1.wav")


def test_key_of_600_000_rows_is_read_in_seconds(tmp_path):
    rows = DF21.splitlines()
    lines = (re.sub(r"DF_E_\d+", f"DF_E_{i}", rows[i % 3]) for i in range(611_829))
    sound = "ASVspoof2021_DF_eval/flac/DF_E_0.flac"
    make_tree(tmp_path, {"keys/DF/CM/trial_metadata.txt": "\n".join(lines), sound: ""})
    begin = time.process_time()
    manifest = open_corpus("asvspoof2021-df/all", {"asvspoof2021-df": tmp_path})
    assert len(manifest) == 611_829
    assert time.process_time() - begin < 8


def test_join_of_fake_only_and_real_only(roots):
    manifest = open_corpus("wavefake+ljspeech", roots)
    assert (manifest.count(1), manifest.count(0)) == (2, 2)
    assert manifest.name == "wavefake+ljspeech"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("asvspof2019-la/eval", "Did you mean 'asvspoof2019-la'"),
        ("asvspoof2019-la/test", "no split 'test'.*It has: train, dev, eval"),
        ("in-the-wild", r"no root here: give --data in-the-wild=FOLDER, .*AMSDF_DATA.*data\.yaml"),
        ("itw", "corpus 'in-the-wild' has no root here"),
        ("/nowhere/at/all", "no such file or folder"),
        ("mine/dev", "no split 'dev'.*It has: eval, train"),
    ],
)
def test_unknown_reference(reference, message, tmp_path):
    make_tree(tmp_path, {"mine/manifest.csv": "path,label,split\na,real,train\nb,fake,eval\n"})
    roots = {"asvspoof2019-la": tmp_path, "mine": tmp_path / "mine"}
    with pytest.raises(ValueError, match=message) as error:
        open_corpus(reference, roots)
    assert "\n" not in str(error.value)


def test_missing_root_folder(tmp_path):
    with pytest.raises(ValueError, match=r"root of corpus 'in-the-wild'.*no such folder"):
        open_corpus("itw", {"in-the-wild": tmp_path / "gone"})


def test_own_manifests_by_name_and_by_path(tmp_path, monkeypatch):
    make_tree(
        tmp_path, {"mine/manifest.csv": "path,label,split\na.wav,real,train\nb.wav,fake,dev\n"}
    )
    make_tree(tmp_path, {f"folders/test/{name}": "" for name in ("real/a.wav", "fake/a.wav")})
    monkeypatch.chdir(tmp_path)
    roots = {"named": tmp_path / "mine", "folders": tmp_path / "folders"}
    for reference, name, size in [
        ("named", "named", 2),
        ("named/dev", "named/dev", 1),
        ("mine", "mine", 2),
        ("./mine/train", "mine/train", 1),
        (f"{tmp_path}/mine/manifest.csv/train", "mine/train", 1),
        ("folders/test", "folders/test", 2),
    ]:
        manifest = open_corpus(reference, roots)
        assert (manifest.name, len(manifest)) == (name, size)
    assert open_corpus("mine", {}).table["path"][0] == str(tmp_path / "mine" / "a.wav")


def test_shared_corpus_and_its_split():
    folder = shared_path("corpora", "fsdd_vocoded")
    whole = open_corpus(str(folder), {})
    parts = [open_corpus(f"{folder}/{split}", {}) for split in ("train", "dev", "eval")]
    assert (len(whole), whole.count(1)) == (548, 148)
    assert sum(map(len, parts)) == len(whole)
    assert parts[0].name == "fsdd_vocoded/train"


def test_every_split_of_a_corpus(roots):
    manifests = open_splits("asvspoof2019-la", roots)
    assert [manifest.name.split("/")[1] for manifest in manifests] == ["train", "dev", "eval"]
    assert [manifest.name for manifest in open_splits("itw", roots)] == ["in-the-wild/eval"]


def test_roots_of_this_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMSDF_DATA", "mine=/from/variable")
    (tmp_path / "data.yaml").write_text("itw: /from/yaml\n")
    found = {"mine": Path("/from/variable"), "in-the-wild": Path("/from/yaml")}
    assert roots_here() == found
    assert roots_here(["mine=/from/option"]) == found | {"mine": Path("/from/option")}


def test_roots_precedence(tmp_path):
    """--data wins over $AMSDF_DATA, and that over data.yaml, whichever name is used."""
    make_tree(tmp_path, {"store/asvspoof5/x": "", "store/mine/x": "", "store/.hidden/x": ""})
    yaml = tmp_path / "data.yaml"
    yaml.write_text("in-the-wild: from-yaml\nasvspoof5: from-yaml\nmlaad: from-yaml\n")
    environ = {"AMSDF_DATA": f"{tmp_path}/store:itw=/from/variable"}
    roots = find_roots(["in-the-wild=/from/option"], environ, yaml)
    assert roots == {
        "in-the-wild": Path("/from/option"),
        "asvspoof5": tmp_path / "store" / "asvspoof5",
        "mine": tmp_path / "store" / "mine",
        "mlaad": tmp_path / "from-yaml",
    }
    assert find_roots([], environ, yaml)["in-the-wild"] == Path("/from/variable")
    assert find_roots([], {}, tmp_path / "absent.yaml") == {}


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        (["itw"], {}, "--data: 'itw' is not of the form name=path"),
        ([], {"AMSDF_DATA": "/nowhere"}, "AMSDF_DATA: /nowhere: no such folder"),
    ],
)
def test_roots_refused(options, environ, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        find_roots(options, environ, tmp_path / "data.yaml")


def test_roots_file_with_a_list(tmp_path):
    (tmp_path / "data.yaml").write_text("itw: [a, b]\n")
    with pytest.raises(ValueError, match="'itw' must be a path"):
        find_roots([], {}, tmp_path / "data.yaml")
