"""Published score files, told by their content, and broken ones, refused with a reason."""

import gzip
import json
from time import perf_counter

import numpy as np
import polars as pl
import pytest
from kept_files import golden_path

from amsdf.metrics import cllr, eer, min_dcf
from amsdf.scoring.score_files.formats import read_named
from amsdf.scoring.score_files.table import Foreign, Scores, read_scores, write_scores


def file(folder, text, name="scores.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


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
        how=Foreign(negate=settings.get("negate", False)),
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
    "a column called real": "utt,score,real\na,1.5,x\nb,-2,y\n",
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


NUMBERS = {
    "no space at the end": "a 1.5 1\nb -2 0\n",
    "one line without": "a 1.5 1 \nb -2 0\nc 1 1 \n",
    "label first": "a 1 1.5\nb 0 -2.5\n",
    "a header": "utt,score,label\na,1.5,1\nb,-2,0\n",
    "its header, single scores": "ID,Score,Label\na,1.5,1\nb,-2,0\n",
    "2019": "a - 1 1.5\nb A07 0 -2.5\n",
    "with a point": "utt,score,label\na,1.5,1.0\nb,-2,0.0\n",
    "one class": "utt,score,label\na,1.5,1\nb,-2,1\n",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_a_label_only_where_its_meaning_is_known(name, tmp_path):
    """Trap: label map turns one-class loss round. 1 is real in some projects and fake in others."""
    path = file(tmp_path, NUMBERS[name])
    with pytest.raises(ValueError, match="say which one is bona fide, with --bonafide-label 1"):
        read_scores(path)
    as_one, as_zero = (
        read_scores(path, how=Foreign(bonafide_label=label)).table["label"].to_list()
        for label in (1, 0)
    )
    assert as_one[0] == 1 and as_zero == [1 - label for label in as_one]


def test_words_need_no_bonafide_label_and_keep_their_meaning(tmp_path):
    path = file(tmp_path, "a 1.5 real\nb -2 fake\n")
    assert read_scores(path, how=Foreign(bonafide_label=0)).table["label"].to_list() == [1, 0]


@pytest.mark.parametrize(
    "text",
    [
        "file 1.5 real\nb -2 fake\n",
        "id 1.5\nb -2\n",
        "path - spoof 1.5\nb A07 spoof -2\n",
        "file,1.5,real\nb,-2,fake\n",
        "LA_1\tfile\t1.5\tspoof\nLA_1\tb\t-2\tbonafide\n",
    ],
)
def test_a_trial_that_is_called_as_a_header_is_a_trial(text, tmp_path):
    scores = read_scores(file(tmp_path, text))
    assert len(scores) == 2 and scores.table["score"].to_list() == [1.5, -2]


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
    assert read_scores(plain, how=Foreign("utt-score")).table["utt"].to_list() == [ids[0], ids[2]]


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
    "duplicate": ("a 1\nb 2\na 1\n", "trial 'a' occurs 2 times"),
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
    "column twice": ("utt,score,Score\na,1,2\n", "names a column twice"),
    "missing score": ("utt,score\na,1\nb,\n", "trial 'b' has score missing"),
    "ragged": ("utt,score\na,1,2,3\n", "is not a table with columns"),
    "three of a pair": ('ID,Score,Label\na,"[1, 2, 3]",1\n', r"'a' has score '\[1, 2, 3\]'"),
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
    for layout, labels in (("utt-score-label", [0, 1]), ("utt-label-score", [1, 0])):
        table = read_scores(path, how=Foreign(layout, bonafide_label=1)).table
        assert table["label"].to_list() == labels
        table = read_scores(path, how=Foreign(layout, bonafide_label=0)).table
        assert table["label"].to_list() == labels[::-1]
    with pytest.raises(
        ValueError, match=r"no format named 'utt-scores'\. Did you mean 'utt-score'"
    ):
        read_scores(path, how=Foreign("utt-scores"))
    with pytest.raises(ValueError, match="cannot be read"):
        read_scores(tmp_path / "absent.txt")


def test_a_table_without_header_is_not_named(tmp_path):
    assert read_named(tmp_path / "x", b"LA_E_1 0.5\n") is None


def test_blank_lines_and_lone_quotes_of_tables_with_a_header(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text('file,score,label\n5" disc.wav,1.5,real\n\n"hi" he said.wav,-1,fake\n\n')
    assert read_scores(path).table["utt"].to_list() == ['5" disc.wav', '"hi" he said.wav']


@pytest.mark.slow
def test_two_million_lines_are_read_in_seconds(tmp_path):
    """Under 3 s from a file to the EER on two processors, with room for a busy machine."""
    rng = np.random.default_rng(0)
    real = rng.random(2_000_000) < 0.1
    scores = rng.normal(0, 1, len(real)) + 2 * real
    path = tmp_path / "many.txt"
    words = np.where(real, "- bonafide", "A07 spoof").tolist()
    with path.open("w") as lines:
        lines.writelines(
            f"LA_E_{place:07d} {word} {score:.6f}\n"
            for place, (word, score) in enumerate(zip(words, scores.tolist(), strict=True))
        )
    start = perf_counter()
    table = read_scores(path)
    found = eer(table.bonafide, table.spoof).rate
    assert perf_counter() - start < 3
    assert found == pytest.approx(0.1587, abs=0.001)


def test_our_own_columns_are_not_taken_for_trials_of_speaker_verification(tmp_path):
    frame = pl.DataFrame(
        {
            "utt": ["a", "b"],
            "score": [1.0, 0.0],
            "label": [1, 0],
            "trial": ["x"] * 2,
            "speaker": "s",
        }
    )
    write_scores(tmp_path / "ours.tsv", Scores("ours", frame))
    assert read_scores(tmp_path / "ours.tsv").table["utt"].to_list() == ["a", "b"]
