"""Score files: our own, every published layout, keys, and what is refused."""

import gzip
import json
import os

import numpy as np
import polars as pl
import pytest
from conftest import golden_path

from amsdf.metrics import cllr, eer, min_dcf, min_tdcf
from amsdf.score_formats import read_named
from amsdf.score_keys import read_asv_scores, read_asv_table, read_key
from amsdf.scores import Scores, join, read_scores, write_scores

HARD_IDS = [
    *(
        "a b.wav",
        " lead",
        "trail ",
        "tab\tin",
        'quo"te',
        '"quoted"',
        "new\nline",
        "com,ma",
        "#hash",
    ),
    *("é日本", "null", "nan", "1", "0012", "-", "a\\b", "x'y", "# amsdf {}"),
]


def file(folder, text, name="scores.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(**columns):
    return pl.DataFrame(columns)


def test_hard_ids_make_the_round_trip(tmp_path):
    """Trap: ids with spaces."""
    values = np.random.default_rng(0).normal(size=len(HARD_IDS))
    labels = [1, 0, None] * 6
    given = Scores(
        "hard",
        table(utt=HARD_IDS, score=values, label=labels, attack=HARD_IDS[::-1]),
        {"detector": "tiny", "experiment": 'a "quoted" word\nand a line'},
    )
    write_scores(tmp_path / "deep" / "hard.tsv", given)
    back = read_scores(tmp_path / "deep" / "hard.tsv")
    assert back.table.equals(given.table)
    assert (back.name, back.header) == (given.name, given.header)
    assert os.listdir(tmp_path / "deep") == ["hard.tsv"]


def test_numbers_make_the_round_trip(tmp_path):
    values = np.array([0.1, 1 / 3, 1e-300, 5e-324, -0.0, 1e22, 123456789.123456789, np.pi])
    singles = np.random.default_rng(1).normal(size=50).astype(np.float32)
    values = np.concatenate([values, singles.astype(np.float64)])
    ids = [f"u{i}" for i in range(len(values))]
    write_scores(tmp_path / "s.tsv", Scores("s", table(utt=ids, score=values)))
    back = read_scores(tmp_path / "s.tsv").table["score"].to_numpy()
    assert (back == values).all() and (np.signbit(back) == np.signbit(values)).all()
    assert (back[-50:].astype(np.float32) == singles).all()


def test_a_file_is_replaced_whole(tmp_path):
    """Trap: score file appended on rerun."""
    path = tmp_path / "s.tsv"
    write_scores(path, Scores("long", table(utt=["a", "b"], score=[1.0, 2.0], label=[1, 0])))
    write_scores(path, Scores("short", table(utt=["c"], score=[3.0], label=[1])))
    assert read_scores(path).table["utt"].to_list() == ["c"]
    assert path.read_text().splitlines() == [
        '# amsdf {"name": "short"}',
        "utt\tscore\tlabel",
        "c\t3.0\tbonafide",
    ]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "s.tsv"
    write_scores(path, Scores("old", table(utt=["a"], score=[1.0])))
    broken = Scores("new", table(utt=["b"], score=[2.0]), {"detector": "\ud800"})
    with pytest.raises(UnicodeEncodeError):
        write_scores(path, broken)
    assert read_scores(path).name == "old"
    assert os.listdir(tmp_path) == ["s.tsv"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"utt": ["LA_E_1", "b"], "score": [np.nan, 1]}, "s: trial 'LA_E_1' has score nan$"),
        ({"utt": ["a", "b"], "score": [-np.inf, np.inf]}, r"'a' has score -inf \(and 1 more\)"),
        ({"utt": ["a"], "score": [None]}, "trial 'a' has score missing"),
        ({"utt": ["a", "a"], "score": [1, 2]}, r"'a' stands 2 times \(1 ids are repeated\)"),
        ({"utt": ["a"], "score": [1], "label": [2]}, "trial 'a' has label 2"),
        ({"utt": [""], "score": [1]}, "1 trials have no id"),
        ({"utt": [], "score": []}, "holds no trial"),
        ({"utt": ["a"]}, "no column 'score'"),
    ],
)
def test_impossible_scores_are_refused(columns, message):
    """Trap: EER for NaN scores: the trial is named."""
    with pytest.raises(ValueError, match=message):
        Scores("s", table(**columns))


def test_classes():
    scores = Scores("s", table(utt=["a", "b", "c"], score=[1, 2, 3], label=[1, 0, 1]))
    assert list(scores.bonafide) == [1, 3] and list(scores.spoof) == [2]
    assert scores.bonafide.dtype == np.float64
    with pytest.raises(ValueError, match="3 of 3 trials have no label"):
        _ = Scores("s", scores.table.drop("label")).spoof


FILES = {
    "scores_2019_utt_attack_key_score.txt": {},
    "scores_air_A00_inverted.txt": {"negate": True},
    "scores_2021_utt_score.txt": {"key": "key_2021_la_trial_metadata.txt"},
    "scores_amsdf_utt_score_label01.txt": {},
    "scores_utt_score_label.txt": {},
    "scores_utt_dash_key_score.txt": {},
    "scores_asvspoof5_baseline_spk_utt_score_key.txt": {},
    "asvspoof5_cm_scores.tsv": {"key": "asvspoof5_cm_keys.tsv"},
}


def golden_file(name):
    return golden_path(f"metrics/score_files/{name}")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("key", [None, "protocol_2019_la_cm.txt"])
def test_published_files_give_one_result(name, key):
    golden = json.loads(golden_path("metrics.json").read_text())["score_files"]
    settings = FILES[name]
    key = key or settings.get("key")
    scores = read_scores(
        golden_file(name),
        golden_file(key) if key else None,
        negate=settings.get("negate", False),
    )
    assert (len(scores.bonafide), len(scores.spoof)) == (23, 30)
    found = eer(scores.bonafide, scores.spoof)
    assert found == pytest.approx((golden["eer"], golden["eer_threshold"]), abs=1e-9)
    assert min_dcf(scores.bonafide, scores.spoof) == pytest.approx(golden["track1"]["minDCF"])
    assert cllr(scores.bonafide, scores.spoof) == pytest.approx(golden["track1"]["cllr_bits"])


def test_nothing_is_negated_by_itself():
    """Trap: min(EER, flipped EER)."""
    scores = read_scores(golden_file("scores_air_A00_inverted.txt"))
    assert eer(scores.bonafide, scores.spoof).rate > 0.5


LAYOUTS = {
    "plain": "a 1.5\nb -2\n",
    "plain with tabs": "a\t1.5\nb\t-2\n",
    "plain with commas": "a,1.5\nb,-2\n",
    "comma and space": "a, 1.5\nb, -2\n",
    "two spaces, leading and trailing": "  a   1.5 \n b  -2\n\n",
    "windows": "a 1.5 bonafide\r\nb -2 spoof\r\n",
    "byte order mark": "\ufeffa 1.5\nb -2",
    "2019": "a - bonafide 1.5\nb A07 spoof -2\n",
    "air": "a A00 bonafide 1.5\nb A07 spoof -2\n",
    "codecfake": "a 1.5 real\nb -2 fake\n",
    "amsdf": "a 1.5 1 \nb -2 0 \n",
    "word before score": "a bonafide 1.5\nb spoof -2\n",
    "asvspoof5": "filename\tcm-score\na\t1.5\nb\t-2\n",
    "asvspoof5 with spaces": "filename cm-score\na 1.5\nb -2\n",
    "baseline": "D_1 a 1.5 bonafide\nD_2 b -2 spoof\n",
    "antideepfake": 'ID,Score,Label\na,"[0.5, 2.0]",1\nb,"[3.0, 1.0]",0\n',
    "named": "Score,File,Key\n1.5,a,bona-fide\n-2,b,Fake\n",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name, tmp_path):
    scores = read_scores(file(tmp_path, LAYOUTS[name]))
    assert scores.table["utt"].to_list() == ["a", "b"]
    assert scores.table["score"].to_list() == [1.5, -2]
    if scores.table["label"].null_count() == 0:
        assert scores.table["label"].to_list() == [1, 0]
    assert scores.name == "scores"


def test_ids_with_spaces(tmp_path):
    """Trap: ids with spaces."""
    ids = ["my real file.wav", "b  c.wav", "d.wav"]
    words = ["spoof", "bonafide", "spoof"]
    lines = [f"{i} - {w} 1.{n}" for n, (i, w) in enumerate(zip(ids, words, strict=True))]
    spaced = file(tmp_path, "\n".join(lines).replace("my real", "my"))
    assert read_scores(spaced).table["utt"].to_list() == ["my file.wav", *ids[1:]]
    twin = "\n".join(f"{i}\t-\t{w}\t1" for i, w in zip(ids, words, strict=True))
    assert read_scores(file(tmp_path, twin)).table["utt"].to_list() == ids
    plain = file(tmp_path, "my real file.wav 1.5\nd.wav 2\n")
    assert read_scores(plain, layout="utt-score").table["utt"].to_list() == [ids[0], ids[2]]


def test_track_2_scores(tmp_path):
    """The same recording stands in several trials: speaker and file together are its id."""
    scores = file(
        tmp_path,
        "spk\tfilename\tcm-score\tasv-score\tsasv-score\n"
        "S1\tE_1\t1.5\t0.2\t0.9\nS2\tE_1\t1.5\t0.1\t0.4\nS1\tE_2\t-2\t0.3\t0.1\n",
    )
    key = file(
        tmp_path,
        "spk\tfilename\tcm-label\tasv-label\n"
        "S1\tE_1\tbonafide\ttarget\nS2\tE_1\tbonafide\tnontarget\nS1\tE_2\tspoof\tspoof\n",
        "key.tsv",
    )
    joined = read_scores(scores, key).table
    assert joined["utt"].to_list() == ["S1 E_1", "S2 E_1", "S1 E_2"]
    assert joined["score"].to_list() == [1.5, 1.5, -2]
    assert joined["label"].to_list() == [1, 1, 0]
    assert joined["trial"].to_list() == ["target", "nontarget", "spoof"]
    only_sasv = file(tmp_path, scores.read_text().replace("\t1.5\t", "\t-\t").replace("-2", "-"))
    assert read_scores(only_sasv).table["score"].to_list() == [0.9, 0.4, 0.1]


BROKEN = {
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "binary": (b"\x80\x02}q\x00", "not a text file"),
    "header only": ("filename\tcm-score\n", "holds no trial"),
    "hard decisions": ("a 1 0\nb 0 1\n", "could be utt-score-label or utt-label-score; say --for"),
    "nan": ("LA_E_1 nan\nb 1\n", "trial 'LA_E_1' has score nan"),
    "infinite": ("a 1\nb -inf\n", "trial 'b' has score -inf"),
    "too large": ("a 1\nb 1e999\n", "trial 'b' has score inf"),
    "duplicate": ("a 1\nb 2\na 1\n", "trial 'a' stands 2 times"),
    "no score": ("a 1\nb\nc 2\n", "line 2, 'b', has 1 columns; format utt-score has 2"),
    "third column": ("a 1\nb 2 3\nc 2\n", "line 2, 'b 2 3', has 3 columns"),
    "torn line": ("a A1 spoof 0.5\nb A1 spoof 0.5c A1 spoof 0.5\n", "line 2, .* has 7 columns"),
    "cut line": ("a A1 spoof 0.5\nb A1 spoof 0.5\nc A1 spo\n", "line 3, 'c A1 spo', has 3 columns"),
    "word as score": ("a 1\nb 2\nc x\n", "trial 'c' has score 'x', which is not a number"),
    "words as scores": ("a x\nb y\n", "no known format"),
    "late word as score": ("".join(f"u{i} 1\n" for i in range(300)) + "z x", "'z' has score 'x'"),
    "late strange label": (
        "".join(f"u{i} 1 spoof\n" for i in range(300)) + "z 1 maybe",
        "'z' has label 'maybe', which is not understood",
    ),
    "strange label": ("utt,score,label\na,1,perhaps\n", "'a' has label 'perhaps'"),
    "a protocol": ("LA_1 a - A07 spoof\nLA_1 b - - bonafide\n", "no known format"),
    "a key": ("filename\tcm-label\na\tspoof\n", "has no scores; columns: utt, label"),
    "asv scores": ("A07 spoof -1.5\nbonafide target 7.9\n", "speaker verification"),
    "odd header": ("# amsdf {oops\nutt\tscore\na\t1\n", "first line is not our header"),
    "header of another kind": ("# amsdf [1]\nutt\tscore\na\t1\n", "not our header"),
    "unknown header": ("recording score\na 1\nb 2\n", "'recording' has score 'score'"),
    "cut gzip": (gzip.compress(b"a 1\n" * 99)[:-9], "cannot be read"),
    "ragged": ("utt,score\na,1,2,3\n", "is not a table with columns"),
    "half a pair": ('ID,Score,Label\na,"[1.0]",1\n', r"'a' has score '\[1.0\]'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused(name, tmp_path):
    text, message = BROKEN[name]
    with pytest.raises(ValueError, match=message) as caught:
        read_scores(file(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_named_format_decides(tmp_path):
    path = file(tmp_path, "a 1 0\nb 0 1\n")
    assert read_scores(path, layout="utt-score-label").table["label"].to_list() == [0, 1]
    assert read_scores(path, layout="utt-label-score").table["label"].to_list() == [1, 0]
    with pytest.raises(
        ValueError, match=r"no format named 'utt-scores'\. Did you mean 'utt-score'"
    ):
        read_scores(path, layout="utt-scores")
    with pytest.raises(ValueError, match="cannot be read"):
        read_scores(tmp_path / "absent.txt")


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
    scores = Scores("s", table(utt=["v", "u"], score=[-1, 1]))
    assert join(scores, key).table["score"].to_list() == [1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LA_1 u - - bonafide\nLA_1 u - A07 spoof\n", "trial 'u' stands 2 times"),
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


EIGHT = {
    **dict.fromkeys(("b0", "b1", "b2", "b3"), 1),
    **dict.fromkeys(("s0", "s1", "s2", "s3"), 0),
}
VALUES = dict(zip(EIGHT, (1.5, 2.5, 3.5, 4.5, -1, 0, 0.5, 2.75), strict=True))
SUBSET = ["eval"] * 3 + ["progress"] + ["eval"] * 4


def submission(**changes):
    values = {utt: score for utt, score in {**VALUES, **changes}.items() if score is not None}
    return Scores("sub", table(utt=list(values), score=list(values.values())))


KEY = table(utt=list(EIGHT), label=list(EIGHT.values()), subset=SUBSET)


def test_join_by_id():
    """Against `loader_behaviour`: order does not matter, other subsets may be absent or present."""
    for scores in (
        submission(),
        submission(b3=None),
        Scores("shuffled", submission().table.sample(fraction=1, shuffle=True, seed=0)),
    ):
        joined = join(scores, KEY)
        assert len(joined) == 7
        assert eer(joined.bonafide, joined.spoof).rate == pytest.approx(7 / 24, abs=1e-9)
    joined = join(submission(), KEY, "all")
    assert eer(joined.bonafide, joined.spoof).rate == 0.25
    assert min_dcf(joined.bonafide, joined.spoof) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("scores", "subset", "message"),
    [
        (submission(b0=None), "eval", r"1 trials of the key have no score \('b0'\)"),
        (submission(x=1), "eval", r"1 scores are of trials not in the key \('x'\)"),
        (submission(b3=None), "all", r"no score \('b3'\); 7 scores, 8 trials"),
        (submission(), "evaluation", "no subset 'evaluation'. Did you mean 'eval'?"),
        (submission(b0=None, b1=None, b2=None, s0=None), "eval", r"\('b0', 'b1', 'b2'…\)"),
        (submission(s0=None, x=1), "eval", "have no score .* and 1 scores are of trials not in"),
    ],
)
def test_join_refuses(scores, subset, message):
    """The trap of the official 2021 script: one trial twice and one missing passes by count."""
    with pytest.raises(ValueError, match=message):
        join(scores, KEY, subset)


def test_join_refuses_other_labels():
    scores = submission()
    wrong = Scores("sub", scores.table.with_columns(label=pl.Series([0, 1, 1, 1, 0, 0, 0, 0])))
    with pytest.raises(ValueError, match=r"1 trials have another label .* 'b0', .* calls bonafide"):
        join(wrong, KEY)


def test_join_refuses_a_repeated_key():
    with pytest.raises(ValueError, match="key: trial 'b0' stands 2 times"):
        join(submission(), pl.concat([KEY, KEY.head(1)]))
    with pytest.raises(ValueError, match="no subset 'progress'"):
        join(submission(), KEY.drop("subset"), "progress")


def test_join_keeps_columns_of_both():
    scores = Scores("s", submission().table.with_columns(duration=pl.lit("2.5")), {"detector": "d"})
    joined = join(scores, KEY.with_columns(codec=pl.lit("alaw")))
    assert joined.table.columns == ["utt", "score", "label", "subset", "codec", "duration"]
    assert joined.header == {"detector": "d"}


def test_asv_scores_of_2019(tmp_path):
    lines = ["bonafide target 3", "bonafide target 2", "bonafide nontarget 0", "A07 spoof 2.5"]
    asv = read_asv_scores(file(tmp_path, "\n".join([*lines, "A08 spoof -1"])))
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


def test_a_table_without_header_is_not_named(tmp_path):
    assert read_named(tmp_path / "x", b"LA_E_1 0.5\n") is None
