"""`amsdf report`: score files of any layout, their keys and ASV scores, to tables."""

import json

import numpy as np
import polars as pl
import pytest
from command_line import amsdf, refused
from kept_files import golden_path

from amsdf.scoring.score_files.table import Scores, write_scores

SIM = "metrics/sim2021"
OFFICIAL = json.loads(golden_path("metrics.json").read_text())["sim2021"]["official"]["LA"]
CODECS = {"none": "C1", "opus": "C7", "Pooled": "Pooled"}


def simulated(*words):
    keys = golden_path(f"{SIM}/keys")
    key, asv_key = (keys / f"LA/{part}/trial_metadata.txt.gz" for part in ("CM", "ASV"))
    asv = keys / "LA/ASV/ASVTorch_Kaldi/score.txt.gz"
    scores = golden_path(f"{SIM}/LA_score.txt.gz")
    return ("report", scores, "--key", key, "--asv", asv, "--asv-key", asv_key, *words)


@pytest.mark.parametrize("subset", ["eval", "progress", "hidden"])
def test_the_tdcf_of_a_subset_takes_the_asv_trials_of_that_subset(capsys, tmp_path, subset):
    out = tmp_path / "out"
    done = amsdf(capsys, *simulated("--subset", subset, "--grid", "attack,codec", "--out", out))
    assert done.status == 0, done.err
    (row,) = pl.read_csv(out / "matrix.csv").iter_rows(named=True)
    expected = OFFICIAL[subset]["LA_score.txt"]
    assert row["min_tdcf_2021"] == pytest.approx(expected["min_tdcf"]["Pooled"]["Pooled"], abs=1e-9)
    (grid,) = out.glob("grid-*.csv")
    cells = {(row[0], row[1]): row[4:] for row in pl.read_csv(grid).iter_rows()}
    for codec, column in CODECS.items():
        rate, cost = cells["A09", codec][:2]
        assert rate == pytest.approx(expected["eer"]["A09"][column], abs=1e-12)
        assert cost == pytest.approx(expected["min_tdcf"]["A09"][column], abs=1e-9)
    assert "min t-DCF (2021 form)" in done.out and "Pooled" in done.out
    rate, cost, low, high, lower, higher = cells["Pooled", "Pooled"]
    assert low < rate < high and lower < cost < higher


def ours(folder, detector, corpus, scores, listed=None, **columns):
    """A score file as `eval` writes it."""
    num = len(scores)
    frame = pl.DataFrame(
        {
            "utt": [f"u{index}" for index in range(num)],
            "score": np.asarray(scores, float),
            "label": [1, 0] * (num // 2),
            **columns,
        }
    )
    header = {"detector": detector, "corpus": corpus, "manifest_hash": "0"}
    header |= {"listed": str(listed or num), "scored": str(num)}
    path = folder / detector / f"{corpus.replace('/', '__')}.tsv"
    write_scores(path, Scores(corpus, frame, header))


def test_a_part_of_the_trials_does_not_pass_for_all_of_them(capsys, tmp_path):
    ours(tmp_path, "a", "toy/eval", [2, 1, 3, 0, 2, 1])
    ours(tmp_path, "b", "toy/eval", [2, 1, 3, 0], listed=6)
    done = amsdf(capsys, "report", tmp_path)
    assert "warning: b on toy/eval: 4 of 6 listed trials have a score." in done.out
    assert "different numbers of trials: a 6, b 4" in done.out and "2–3 + 2–3" in done.out
    assert "4 of 6 listed" in (tmp_path / "report/report.html").read_text("utf-8")


def test_scores_of_others_stand_beside_ours_of_the_same_trials(capsys, tmp_path):
    ours(tmp_path, "a", "toy/eval", [2, 1, 3, 0])
    (tmp_path / "rival.txt").write_text("u0 2 real\nu1 2.5 fake\nu2 3 real\nu3 1 fake\n")
    (tmp_path / "negated.txt").write_text("u0 -2 real\nu1 -1 fake\nu2 -3 real\nu3 -1 fake\n")
    done = amsdf(capsys, "report", tmp_path, "--compare", "--negate")
    assert done.status == 0, done.err
    head = next(line for line in done.out.splitlines() if line.startswith("corpus  "))
    assert head.split()[-3:] == ["a", "negated", "rival"], "three detectors on one corpus"


def test_seeds_without_an_eer_do_not_lose_the_other_tables(capsys, tmp_path):
    for seed in (1, 2):
        frame = pl.DataFrame({"utt": ["u"], "score": [1.0 * seed], "label": [1]})
        header = {"detector": f"m-seed{seed}", "corpus": "real"}
        write_scores(tmp_path / f"m-seed{seed}/real.tsv", Scores("real", frame, header))
        ours(tmp_path, f"m-seed{seed}", "toy", [2, 1, 3, seed])
    done = amsdf(capsys, "report", tmp_path)
    assert done.status == 0 and "m on toy" in done.out and "m on real" not in done.out


def test_ties_alone_make_no_detector_inverted(capsys, tmp_path):
    """30 % of the fakes lower, the rest saturated at the score of real speech: AUC 65 %."""
    ours(tmp_path, "tied", "toy", [1, 0.5, 1, 1, 1, 1] * 5 + [1, 0.5, 1, 1])
    ours(tmp_path, "wrong", "toy", [0, 1, 0.1, 0.9] * 8 + [1, 0.5])
    out = amsdf(capsys, "report", tmp_path).out
    assert "tied on toy: EER" not in out and "tied on toy: equal scores" in out
    assert "wrong on toy: EER" in out and "Check the polarity" in out


def test_values_that_no_real_recording_has_are_set_against_all_of_them(capsys, tmp_path):
    """Devices, tags, codecs of fakes: no cell without real speech, whatever the column's name."""
    ours(tmp_path, "a", "toy", [2, 1, 3, 0], device=["-", "x", "-", "y"], room=["r", "r", "s", "s"])
    out = amsdf(capsys, "report", tmp_path, "--by", "device").out
    table = out.split("by device")[1]
    assert [line.split()[:3] for line in table.splitlines() if line[:2] in ("x ", "y ")] == [
        ["x", "2", "1"],
        ["y", "2", "1"],
    ]
    line = refused(capsys, "report", tmp_path, "--by", "devise")
    assert "no scores have a column 'devise'. Did you mean 'device'?" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--subset", "progress"), "give it with --key"),
        (("--asv-key", "k.txt"), "belongs to ASV scores; give them with --asv"),
        (("--grid", "room"), "two columns are needed"),
        (("--fuse-on", "toy"), "belongs to --fuse logistic"),
        (("--fuse", "vote", "--fuse-on", "toy"), "only --fuse logistic is fitted"),
        (("--grid", "room,codec"), "no scores have a column 'codec'"),
    ],
)
def test_flags_without_effect_are_refused(capsys, tmp_path, words, says):
    ours(tmp_path, "a", "toy", [2, 1, 3, 0], room=["r", "r", "s", "s"])
    assert says in refused(capsys, "report", tmp_path, *words)


def test_chosen_figures_are_in_terminal_csv_and_breakdowns(capsys, tmp_path):
    ours(tmp_path, "a", "toy", [2, 1, 3, 0, 2.5] * 8, room=["r", "r", "s", "s"] * 10)
    words = ("--figures", "min_dcf,cllr", "--by", "room")
    done = amsdf(capsys, "report", tmp_path, *words)
    assert done.status == 0, done.err
    assert "minDCF" in done.out and "Cllr, raw" in done.out and "AUC" not in done.out
    (row,) = pl.read_csv(tmp_path / "report/matrix.csv").iter_rows(named=True)
    assert row["min_dcf_low"] < row["min_dcf"] <= row["min_dcf_high"] and "auc_percent" not in row
    parts = pl.read_csv(tmp_path / "report/by-room-a-toy.csv")
    assert parts["room"].to_list() == ["r", "s"]
    assert {"minDCF", "real rejected (%)"} <= set(parts.columns)
    assert "[" in parts["minDCF"][0]
    assert "no figure named 'min_dfc'. Did you mean 'min_dcf'?" in refused(
        capsys, "report", tmp_path, "--figures", "min_dfc"
    )


def test_a_fusion_is_fitted_on_one_corpus_and_applied_to_the_others(capsys, tmp_path):
    generator = np.random.default_rng(0)
    for detector in "ab":
        for corpus in ("dev", "eval"):
            labels = np.array([1, 0] * 40)
            ours(tmp_path, detector, corpus, generator.normal(2 * labels, 1))
    done = amsdf(capsys, "report", tmp_path, "--fuse", "logistic", "--fuse-on", "dev")
    assert done.status == 0, done.err
    assert "logistic of 2" in done.out
    rows = pl.read_csv(tmp_path / "report/matrix.csv").filter(pl.col("detector") == "logistic of 2")
    assert rows["corpus"].to_list() == ["eval"]
    assert "named by --fuse-on" in refused(capsys, "report", tmp_path, "--fuse", "logistic")


def test_a_threshold_without_calibration_has_no_effect_and_says_so(capsys, tmp_path):
    ours(tmp_path, "a", "toy", [2, 1, 3, 0])
    done = amsdf(capsys, "report", tmp_path, "--threshold", "far-1%")
    assert done.status == 0 and "# --threshold far-1% has no effect" in done.out


def test_a_grid_of_columns_that_no_scores_have_together_is_refused(capsys, tmp_path):
    ours(tmp_path, "a", "toy", [2, 1, 3, 0], room=["r", "r", "s", "s"])
    ours(tmp_path, "b", "toy", [2, 1, 3, 0], codec=["r", "r", "s", "s"])
    line = refused(capsys, "report", tmp_path, "--grid", "room,codec")
    assert "no scores have all of these columns" in line


@pytest.mark.filterwarnings("error")
def test_scores_near_the_largest_number_have_their_eer(capsys, tmp_path):
    """Sums and ranges of such scores overflow; a mistake in four is 25 %."""
    huge = [1e308, -1e308, 1.7e308, -1.7e308, 1e308, -1e308, -1.5e308, 1.5e308]
    ours(tmp_path, "a", "toy", huge, attack=["-", "x", "-", "y"] * 2)
    done = amsdf(capsys, "report", tmp_path, "--by", "attack")
    assert done.status == 0 and "4 + 4" in done.out, done
    assert max(map(len, done.out.splitlines())) < 200, "308 digits in a cell"
    (row,) = pl.read_csv(tmp_path / "report/matrix.csv").iter_rows(named=True)
    assert row["eer_percent"] == 25


def test_groups_of_one_and_a_speaker_of_both_classes(capsys, tmp_path):
    """Each has its row; what has no EER says so, and the other rows stay."""
    ours(tmp_path, "a", "toy", [2, 1, 3, 0, 1, 2], speaker=["s", "s", "t", "u", "v", "v"])
    done = amsdf(capsys, "report", tmp_path, "--by", "speaker", "--compare")
    assert done.status == 0, done
    table = done.out.split("by speaker")[1]
    rows = {line.split()[0]: line.split()[1:3] for line in table.splitlines() if line.strip()}
    assert (rows["s"], rows["v"]) == (["1", "1"], ["1", "1"])
    assert rows["t"] == ["1", "0"] and rows["u"] == ["0", "1"]


def test_labels_that_are_numbers_need_a_word_of_the_user(capsys, tmp_path):
    """1 = fake was read as 1 = real, silently."""
    (tmp_path / "rival.txt").write_text("u0 2 0\nu1 1 1\nu2 3 0\nu3 0 1\n")
    line = refused(capsys, "report", tmp_path, "--out", tmp_path / "out")
    assert "say which one is bona fide, with --bonafide-label 1 or --bonafide-label 0" in line
    words = ("report", tmp_path, "--out", tmp_path / "out", "--bonafide-label")
    for label, rate in (("0", "0.00"), ("1", "100.00")):
        out = amsdf(capsys, *words, label).out
        assert next(line for line in out.splitlines() if line.startswith("rival")).endswith(rate)


def test_keys_of_one_name_are_told_apart_by_their_corpora(capsys, tmp_path):
    for corpus, ids in (("LA", "ab"), ("DF", "cd")):
        (tmp_path / corpus).mkdir()
        (tmp_path / corpus / "key.txt").write_text(f"{ids[0]} genuine\n{ids[1]} fake\n")
        (tmp_path / "scores/m").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"scores/m/{corpus}.txt").write_text(f"{ids[0]} 2\n{ids[1]} 1\n")
    plain = [word for corpus in ("LA", "DF") for word in ("--key", tmp_path / corpus / "key.txt")]
    line = refused(capsys, "report", tmp_path / "scores", *plain)
    assert "--key: two are called 'key'" in line
    named = [word for c in ("LA", "DF") for word in ("--key", f"{c}={tmp_path / c / 'key.txt'}")]
    done = amsdf(capsys, "report", tmp_path / "scores", *named)
    assert done.status == 0 and all(f"{corpus}  " in done.out for corpus in ("LA", "DF")), done


def test_negate_on_our_own_files_is_refused(capsys, tmp_path):
    ours(tmp_path, "a", "toy/eval", [2, 1, 3, 0])
    line = refused(capsys, "report", tmp_path, "--negate")
    assert "--negate: all score files in" in line and "are ours" in line
