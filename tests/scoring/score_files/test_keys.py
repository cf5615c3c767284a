"""Keys and protocols of every corpus, and the score files of speaker verification systems."""

import polars as pl
import pytest

from amsdf.metrics import min_tdcf
from amsdf.scoring.score_files.keys import asv_scores, read_asv_table, read_key, select_subset
from amsdf.scoring.score_files.table import Scores, join


def file(folder, text, name="scores.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


KEYS = {
    "2015": "T1 u human human\nT1 v S1 spoof\n",
    "2019": "LA_1 u - - bonafide\nLA_1 v - A07 spoof\n",
    "2019 pa": "PA_1 u aaa - bonafide\nPA_1 v aaa AA spoof\n",
    "2021 la": "LA_1 u g722 loc_tx bonafide bonafide notrim eval\n"
    "LA_1 v alaw ita_tx A07 spoof notrim eval\n",
    "2021 df": "LA_1 u nocodec asvspoof - bonafide notrim eval bonafide - - - -\n"
    "T1 v mp3m4a vcc2020 Task2-team12 spoof notrim eval traditional_vocoder Task2 team12 FF G\n",
    "2021 pa": "PA_1 u R3 M3 d4 r1 m1 s4 c4 bonafide notrim eval\n"
    "PA_1 v R3 M3 d4 r1 m1 s4 c4 spoof notrim eval\n",
    "asvspoof5": "D_1 u M - - - - bonafide bonafide -\nD_1 v F - - - AC1 A14 spoof -\n",
    "asvspoof5 scores": "filename\tcm-label\nu\tbonafide\nv\tspoof\n",
    "codecfake": "u real 0\nv fake 1\n",
    "add": "u genuine\nv fake\n",
    "in the wild": "file,speaker,label\nu,Alec Guinness,bona-fide\nv,Alec Guinness,spoof\n",
    "spoofceleb": "file,speaker,attack\nu,id1,a00\nv,id1,a05\n",
    "decro": "unknown u - - bonafide \nunknown v - baidu spoof \n",
}


@pytest.mark.parametrize("name", KEYS)
def test_keys(name, tmp_path):
    """Trap: label map turns one-class loss round."""
    key = read_key(file(tmp_path, KEYS[name]))
    assert key["utt"].to_list() == ["u", "v"]
    assert key["label"].to_list() == [1, 0]
    if "attack" in key.columns:
        assert key["attack"][0] == "-" != key["attack"][1]
    scores = Scores("s", pl.DataFrame({"utt": ["v", "u"], "score": [-1, 1]}))
    assert join(scores, key).table["score"].to_list() == [1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LA_1 u - - bonafide\nLA_1 u - A07 spoof\n", "trial 'u' occurs 2 times"),
        ("u real 0\nv maybe 1\n", "no known format"),
        ("file,speaker\nu,x\n", "a key needs a label"),
        ("file,label\nu,\n", "trial 'u' has no label"),
        ("S-alaw u-alaw alaw ita_tx bonafide nontarget notrim eval\n", "speaker verification"),
        ("u 1.5\nv 2\n", "no known format"),
    ],
)
def test_broken_keys_are_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_key(file(tmp_path, text))


def test_asv_scores_of_2019(tmp_path):
    lines = ["bonafide target 3", "bonafide target 2", "bonafide nontarget 0", "A07 spoof 2.5"]
    asv = asv_scores(read_asv_table(file(tmp_path, "\n".join([*lines, "A08 spoof -1"]))))
    assert list(asv.target) == [3, 2] and list(asv.nontarget) == [0]
    assert list(asv.spoof) == [2.5, -1] and asv.attacks == ["A07", "A08"]
    assert min_tdcf([1, 2], [0, 0.5], asv, "2019") == 0


ASV_ROW = "S-alaw u-alaw alaw ita_tx"
ASV_KEY = f"{ASV_ROW} bonafide target notrim eval\n{ASV_ROW} A07 spoof notrim hidden\n"


def test_asv_scores_of_2021(tmp_path):
    key = file(tmp_path, ASV_KEY, "key.txt")
    scores = file(tmp_path, "S-alaw u-alaw 1.5\nS-alaw u-alaw -9\n")
    assert read_asv_table(scores, key)["score"].to_list() == [1.5]
    assert read_asv_table(scores, key, "all")["trial"].to_list() == ["target", "spoof"]


@pytest.mark.parametrize(
    ("scores", "key", "message"),
    [
        ("S-alaw u-alaw 1.5\n", ASV_KEY, "1 ASV scores for 2 trials of the key"),
        ("S-alaw u-alaw 1\nS-alaw x 2\n", ASV_KEY, "ASV trial 2 is S-alaw x, in the key S-alaw u-"),
        ("S-alaw u-alaw 1\nS-alaw u-alaw nan\n", ASV_KEY, "ASV score number 2 is not a finite"),
        ("S-alaw u-alaw 1\nS-alaw u-alaw 2\n", None, "give their key too"),
        ("A07 spoof 1\nA07 maybe 2\n", None, "'maybe' is not understood"),
    ],
)
def test_broken_asv_scores_are_refused(scores, key, message, tmp_path):
    key = key and file(tmp_path, key, "key.txt")
    with pytest.raises(ValueError, match=message):
        read_asv_table(file(tmp_path, scores), key, "all")


def test_our_manifests_are_keys_for_each_of_their_splits(tmp_path):
    rows = [("a", "real", "train"), ("b", "real", "test"), ("c", "fake", "test")]
    table = pl.DataFrame(rows, schema=["path", "label", "split"], orient="row")
    table.write_csv(tmp_path / "m.csv")
    table.write_parquet(tmp_path / "m.parquet")
    table.write_ndjson(tmp_path / "m.jsonl")
    for name in ("m.csv", "m.parquet", "m.jsonl"):
        key = read_key(tmp_path / name)
        assert key["label"].to_list() == [1, 1, 0]
        assert select_subset(name, key, "test")["utt"].to_list() == ["b", "c"]
        assert len(select_subset(name, key)) == 3, "no split is called eval"
        with pytest.raises(ValueError, match=r"no subset 'tset'\. Did you mean 'test'"):
            select_subset(name, key, "tset")


def test_numbers_are_no_labels_in_a_key(tmp_path):
    """1 is real in some keys and fake in others; only who knows them can say which."""
    path = file(tmp_path, "file,label\nb.wav,1\nc.wav,0\n")
    with pytest.raises(ValueError, match="label '1', which is not understood"):
        read_key(path)
    assert read_key(path, bonafide_label=0)["label"].to_list() == [0, 1]


@pytest.mark.parametrize("first", ["file", "id", "path"])
def test_a_trial_of_a_key_that_is_called_as_a_header_is_a_trial(tmp_path, first):
    key = read_key(file(tmp_path, f"LA_1 {first} - - bonafide\nLA_1 v - A07 spoof\n"))
    assert key["utt"].to_list() == [first, "v"]
    key = read_key(file(tmp_path, f"{first} genuine\nv fake\n"))
    assert key["utt"].to_list() == [first, "v"] and key["label"].to_list() == [1, 0]


def test_a_key_with_an_empty_subset_cell(tmp_path):
    key = read_key(file(tmp_path, "file,label,subset\na,real,eval\nb,fake,\n"))
    with pytest.raises(ValueError, match="no subset 'progress'"):
        select_subset("key", key, "progress")
