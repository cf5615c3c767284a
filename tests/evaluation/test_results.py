"""Score tables to results: golden figures, matrix, breakdowns, seeds, fusion, text tables."""

import json

import numpy as np
import polars as pl
import pytest
from kept_files import golden_path
from scipy.special import expit
from toy_scores import noisy, table

from amsdf.evaluation.breakdowns import attacks, breakdown
from amsdf.evaluation.cautions import cautions
from amsdf.evaluation.figures import Cut, Given
from amsdf.evaluation.matrix import matrix
from amsdf.evaluation.results import ResultSettings, eer_of, result_of
from amsdf.evaluation.systems.fusion import LogisticFusion, aligned_scores, fit_fusion, mean, vote
from amsdf.evaluation.systems.seed_summary import best_average_vote, seed_groups
from amsdf.metrics import AsvScores, eer
from amsdf.report.tables import (
    breakdown_table,
    matrix_table,
    seeds_table,
)
from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.score_files.folder import read_folder
from amsdf.scoring.score_files.table import Scores

POINTS = ResultSettings(rounds=0)
GOLDEN = json.loads(golden_path("metrics.json").read_text())
FIGURES = GOLDEN["la19_eval_ocsoftmax"]["figures"]


def golden_scores():
    with np.load(golden_path("metrics/la19_eval_cm_ocsoftmax.npz")) as arrays:
        frame = pl.DataFrame(
            {
                "utt": arrays["utt"].astype(str),
                "score": -arrays["score_raw"].astype(np.float64),
                "label": arrays["is_bonafide"].astype(np.int8),
                "attack": arrays["attack_names"][arrays["attack"]].astype(str),
            }
        )
    return Scores("asvspoof2019-la/eval", frame, {"detector": "oc-softmax"})


def golden_asv():
    with np.load(golden_path("metrics/la19_eval_asv.npz")) as arrays:
        kind = arrays["key_names"][arrays["key"]].astype(str)
        return AsvScores(*(arrays["score"][kind == k] for k in ("target", "nontarget", "spoof")))


def test_golden_figures_of_oc_softmax():
    result = result_of(golden_scores(), Given(golden_asv()), POINTS)
    assert (result.num_bonafide, result.num_spoof) == (7355, 63882)
    assert result.eer == pytest.approx(FIGURES["eer"], abs=1e-12)
    assert result.threshold == FIGURES["eer_threshold"]
    expected = {
        "eer_collapsed": FIGURES["eer_ties_collapsed"],
        "auc": FIGURES["roc_auc"],
        "min_tdcf_2019": FIGURES["min_tdcf_2019"],
        "min_tdcf_2021": FIGURES["min_tdcf_2021_form"],
        "min_dcf": FIGURES["asvspoof5_track1"]["minDCF"],
        "act_dcf": FIGURES["asvspoof5_track1"]["actDCF"],
        "cllr": FIGURES["asvspoof5_track1"]["cllr_bits"],
    }
    assert {name: result.value(name) for name in expected} == pytest.approx(expected, abs=1e-9)


def test_golden_eer_of_each_attack():
    parts = breakdown(golden_scores(), "attack", settings=POINTS)
    expected = FIGURES["per_attack"]
    assert [part.value for part in parts] == list(expected)
    for part in parts:
        assert part.result.num_bonafide == 7355
        assert part.result.eer == pytest.approx(expected[part.value]["eer"], abs=1e-12)
        assert part.result.num_spoof == expected[part.value]["n_spoof"]


def test_golden_eer_of_each_codec_through_the_key():
    root = "metrics/sim2021"
    key = golden_path(f"{root}/keys/DF/CM/trial_metadata.txt.gz")
    (scores,) = read_folder(golden_path(f"{root}/DF_score.txt.gz"), {"df": key}, "progress")
    assert scores.header == {"detector": "DF_score", "corpus": "df/progress"}
    expected = GOLDEN["sim2021"]["official"]["DF"]["progress"]["eer"]["Pooled"]
    names = {name: column for column, name in GOLDEN["sim2021"]["compression_columns"].items()}
    parts = breakdown(scores, "codec", settings=POINTS)
    found = {names[part.value]: part.result.eer for part in parts}
    assert found == pytest.approx({k: v for k, v in expected.items() if k != "Pooled"}, abs=1e-12)
    assert eer_of(scores) == pytest.approx(expected["Pooled"], abs=1e-12)


def test_inverted_detector_keeps_its_eer_and_gets_a_warning():
    """Trap: min(EER, flipped EER)."""
    results = matrix([table(range(12), range(20, 32))])
    assert results.cells["ours", "here"].eer == 1.0
    (line,) = cautions(results)
    assert "EER 100.00 %, worse than guessing" in line and "as they are" in line
    assert matrix_table(results).rows[0][-1].endswith(" !")


def test_equal_scores_are_pointed_out():
    (line,) = cautions(matrix([table([1, 2, 2, 3], [0, 1, 2, 2])]))
    assert "counts them against" in line and "together: 37.50 %" in line
    assert not cautions(matrix([table([1, 2.5, 2, 3], [0, 1.5, 2.25])]))


@pytest.mark.parametrize(
    ("real", "fake", "only", "shown"),
    [([1, 3], [], "bona fide", "50.00 rejected"), ([], [1, 2, 3, 4], "spoof", "50.00 accepted")],
)
def test_one_class_has_no_eer_but_a_row(real, fake, only, shown):
    scores = [table(real, fake), table(real, fake, "other")]
    results = matrix(scores, calibrations={"ours": at(2)})
    cell = results.cells["ours", "here"]
    assert cell.eer is None and cell.mean_score == np.mean([*real, *fake])
    assert cautions(results) == [f"here: only {only} trials, so there is no EER."]
    few = f"too few: {len(real) or len(fake)} clips"
    assert matrix_table(results).rows == (("here", f"{len(real)} + {len(fake)}", few, shown, "–"),)
    assert result_of(table(real, fake)).value("frr") is None


def at(threshold, manifests=()):
    """A calibration whose threshold is known."""
    return Calibration(
        "logistic",
        (0.0, 1.0),
        (-1.0, 1.0),
        thresholds={"eer": threshold},
        manifests={name: name for name in manifests},
    )


def test_dev_threshold_rejects_what_is_equal_to_it():
    result = result_of(table([0, 1, 2, 3], [-1, 1, 1, 5]), Given(cut=Cut(1, "dev")))
    assert (result.value("frr"), result.value("far")) == (0.5, 0.25)
    assert result.value("accuracy") == 5 / 8
    assert result.value("f1") == pytest.approx(2 * 3 / (2 * 3 + 2 + 1))


def test_unlabelled_trials_are_counted_and_left_out():
    frame = pl.DataFrame({"utt": ["a", "b", "c"], "score": [1.0, 0.0, 9.0], "label": [1, 0, None]})
    results = matrix([Scores("here", frame)])
    assert results.cells["detector", "here"].num_unlabelled == 1
    assert results.cells["detector", "here"].eer == 0
    assert "1 trials have no label" in cautions(results)[0]


def test_matrix_pools_only_what_all_detectors_share():
    scores = [
        *(noisy(2, 1, "a", "x"), noisy(1, 2, "a", "y"), noisy(0, 3, "a", "z")),
        *(noisy(3, 4, "b", "x"), noisy(2, 5, "b", "y")),
    ]
    results = matrix(scores)
    assert results.shared == ("x", "y") and ("b", "z") not in results.cells
    real = np.concatenate([s.bonafide for s in scores[:2]])
    fake = np.concatenate([s.spoof for s in scores[:2]])
    assert results.pooled["a"].eer == eer(real, fake).rate
    assert results.macro["a"].value == pytest.approx(
        (results.cells["a", "x"].eer + results.cells["a", "y"].eer) / 2
    )
    for cell in results.cells.values():
        value, low, high = cell.figures["eer"]
        assert low < value < high
    assert results.macro["a"].low < results.macro["a"].value < results.macro["a"].high
    names = [row[0] for row in matrix_table(results).rows]
    assert names == ["x", "y", "z", "pooled (2 of 3)", "mean (2 of 3)"]
    assert matrix_table(results).notes == ("pooled and mean: without z",)


def test_matrix_repeats_itself():
    first, second = (matrix([noisy(1, 1)]).cells for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "no score tables"),
        ([noisy(1, 1), noisy(1, 2)], "'ours' has two score tables for 'here'"),
    ],
)
def test_matrix_refuses(scores, message):
    with pytest.raises(ValueError, match=message):
        matrix(scores)


def test_attack_restricts_spoof_only_and_codec_both():
    scores = table(
        [5, 6, 1, 7],
        [0, 1, 2, 8],
        attack=["-"] * 4 + ["A1", "A1", "A2", "A2"],
        codec=["p", "q"] * 4,
    )
    by_attack = breakdown(scores, "attack")
    assert [part.value for part in by_attack] == ["A1", "A2"]
    assert [part.result.num_bonafide for part in by_attack] == [4, 4]
    assert [part.mean_score for part in by_attack] == [0.5, 5.0]
    assert by_attack[0].result.eer == eer([5, 6, 1, 7], [0, 1]).rate
    by_codec = breakdown(scores, "codec")
    assert [part.result.num_bonafide for part in by_codec] == [2, 2]
    rates = [eer([5, 1], [0, 2]).rate, eer([6, 7], [1, 8]).rate]
    assert [part.result.eer for part in by_codec] == rates
    assert {name: list(found) for name, found in attacks(scores).items()} == {
        "A1": [0, 1],
        "A2": [2, 8],
    }


def test_durations_fall_into_buckets_even_when_read_as_text():
    scores = table([3, 4], [1, 2], duration=["0.5", "3", "0.9", "12.5"])
    parts = breakdown(scores, "duration")
    assert [part.value for part in parts] == ["0–1 s", "2–4 s", "over 8 s"]
    assert [part.result.eer for part in parts] == [0.0, None, None]
    row = ("2–4 s", "1", "0", "4.000", "too few: 1 clip", "–", "0.00", "–")
    assert breakdown_table(parts, "duration").rows[1] == row
    with pytest.raises(ValueError, match="'duration' must hold seconds; given: 'long'"):
        breakdown(table([1], [0], duration=["long", "1"]), "duration")


def test_breakdown_names_the_nearest_column():
    with pytest.raises(ValueError, match=r"no column 'codek'. Did you mean 'codec'\?"):
        breakdown(table([1], [0], codec=["a", "b"]), "codek")


def test_vote_averages_probabilities_by_id_without_ties():
    """The vote ranks as the mean probability does, and does not saturate as a soft-max does."""
    first, second = table([1, 40, 50], [-2]), table([3, 41, 50], [0.5])
    shuffled = Scores("here", second.table.reverse(), {"detector": "other", "corpus": "here"})
    voted = vote([first, shuffled])
    expected = (expit(first.table["score"]) + expit(second.table["score"])) / 2
    assert expit(voted.table["score"].to_numpy()) == pytest.approx(expected)
    assert expected[1] == expected[2] and voted.table["score"][1] < voted.table["score"][2]
    assert voted.header == {"corpus": "here", "detector": "vote of 2", "fused": "ours, other"}
    assert mean([first, shuffled]).table["score"].to_list() == [2, 40.5, 50, -0.75]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (table([1, 2], [0]), "4 trials and here 3, 3 in common"),
        (table([1], [0, 1, 2]), "disagree on the label of 'u1'"),
    ],
)
def test_fusion_refuses_other_trials(other, message):
    with pytest.raises(ValueError, match=message):
        aligned_scores([table([1, 2], [0, 1]), other])


def test_logistic_fusion_weighs_systems_by_what_they_know():
    generator = np.random.default_rng(0)
    truth = [[1.0] * 400 + [-1.0] * 400, [0.0] * 800]
    dev, test = (
        [
            table(*np.split(generator.normal(row, 1), 2), detector=str(k))
            for k, row in enumerate(truth)
        ]
        for _ in range(2)
    )
    fusion = fit_fusion(dev)
    assert 1.5 < fusion.weights[0] < 2.5 and abs(fusion.weights[1]) < 0.2
    fused = fusion.apply(test)
    assert result_of(fused, settings=POINTS).value("cllr") < 0.6
    with pytest.raises(ValueError, match="fitted on 2 systems; given: 1"):
        LogisticFusion((1.0, 1.0), 0.0).apply(test[:1])
    with pytest.raises(ValueError, match="both classes"):
        fit_fusion([table([1, 2], [])])


def test_seeds_best_average_vote():
    seeds = [noisy(1, 10 + seed, f"aasist-seed{seed}") for seed in range(3)]
    other = noisy(1, 3, "lfcc")
    (group,) = seed_groups([*seeds, other])
    summary = best_average_vote(group)
    rates = [eer_of(seed) for seed in seeds]
    assert summary.recipe == "aasist" and summary.eers == tuple(rates)
    assert summary.best == min(rates) and summary.average == pytest.approx(np.mean(rates))
    assert summary.spread == pytest.approx(np.std(rates, ddof=1))
    assert summary.vote.eer < summary.best  # three independent views of the same trials
    (row,) = seeds_table([summary]).rows
    assert row[0] == "aasist on here" and " ± " in row[3]
    with pytest.raises(ValueError, match="need two seeds or more"):
        best_average_vote(seeds[:1])
