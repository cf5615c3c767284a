"""Score tables: what they refuse, their way to disk and back, and how they meet a key."""

import os

import numpy as np
import polars as pl
import pytest

from amsdf.metrics import eer, min_dcf
from amsdf.scoring.score_files.table import Scores, join, read_scores, write_scores

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
        ({"utt": ["a", "a"], "score": [1, 2]}, r"'a' occurs 2 times \(1 ids are repeated\)"),
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
    with pytest.raises(ValueError, match="key: trial 'b0' occurs 2 times"):
        join(submission(), pl.concat([KEY, KEY.head(1)]))
    with pytest.raises(ValueError, match="no subset 'progress'"):
        join(submission(), KEY.drop("subset"), "progress")


def test_join_keeps_columns_of_both():
    scores = Scores("s", submission().table.with_columns(duration=pl.lit("2.5")), {"detector": "d"})
    joined = join(scores, KEY.with_columns(codec=pl.lit("alaw")))
    assert joined.table.columns == ["utt", "score", "label", "subset", "codec", "duration"]
    assert joined.header == {"detector": "d"}


@pytest.mark.parametrize(("ours", "theirs"), [("", ".wav"), (".wav", ""), (".flac", ".wav")])
def test_ids_may_differ_by_the_suffix_of_a_file(ours, theirs):
    scores = Scores("itw", table(utt=[f"{i}{ours}" for i in range(3)], score=[1, 2, 3]))
    key = table(utt=[f"{i}{theirs}" for i in (2, 1, 0)], label=[1, 0, 0])
    joined = join(scores, key).table
    assert joined["utt"].to_list() == key["utt"].to_list()
    assert joined["score"].to_list() == [3, 2, 1]
    both = pl.concat([key, table(utt=["2.mp3", "2.ogg"], label=[0, 0])])
    with pytest.raises(ValueError, match="have no score"):
        join(scores, both)
