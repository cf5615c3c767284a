"""Metrics against the figures of the official ASVspoof packages, to 1e-9."""

import json
import math

import numpy as np
import pytest
from kept_files import golden_path

from amsdf.metrics import (
    ASVSPOOF5_ASV,
    AsvScores,
    TandemCosts,
    a_dcf,
    act_dcf,
    asv_rates,
    auc,
    cllr,
    dcf_cost,
    det_curve,
    eer,
    eer_collapsed,
    grid,
    min_cost,
    min_dcf,
    min_tdcf,
    sasv_eers,
    t_eer,
    tdcf_cost,
    tdcf_weights,
)
from amsdf.scoring.score_files.keys import read_asv_table
from amsdf.scoring.score_files.table import read_scores

GOLDEN = json.loads(golden_path("metrics.json").read_text())
CASES = GOLDEN["edge_cases"]["cases"]
#: Rates and costs of the order 1, in float64 from counts: all but the order of sums is the same.
TOLERANCE = 1e-9


def same(given, expected):
    return given == pytest.approx(float(expected), abs=TOLERANCE, nan_ok=True)


def load(name):
    with np.load(golden_path(f"metrics/{name}.npz")) as arrays:
        return dict(arrays)


def load_asv(name):
    arrays = load(name)
    key = arrays["key_names"][arrays["key"]].astype(str)
    source = arrays["source_names"][arrays["source"]].astype(str)
    of = [arrays["score"][key == trial] for trial in ("target", "nontarget", "spoof")]
    return AsvScores(*of, list(source[key == "spoof"]))


def load_cm(name):
    arrays = load(name)
    score = arrays["score"] if "score" in arrays else -arrays["score_raw"]
    attack = arrays["attack_names"][arrays["attack"]].astype(str)
    real = arrays["is_bonafide"] == 1
    return score[real], score[~real], attack[~real]


SETS = {
    "la19_eval_ocsoftmax": ("la19_eval_cm_ocsoftmax", "la19_eval_asv"),
    "la19_dev_ecapa": ("la19_dev_cm_ecapa", "la19_dev_asv"),
}


def check_figures(bonafide, spoof, figures):
    track1 = figures["asvspoof5_track1"]
    assert same(eer(bonafide, spoof).rate, figures["eer"])
    assert eer(bonafide, spoof).threshold == figures["eer_threshold"]
    assert same(eer(-bonafide, -spoof).rate, figures["eer_negated"])
    assert same(eer_collapsed(bonafide, spoof).rate, figures["eer_ties_collapsed"])
    assert same(auc(bonafide, spoof), figures["roc_auc"])
    assert same(min_dcf(bonafide, spoof), track1["minDCF"])
    assert min_cost(bonafide, spoof, dcf_cost()).threshold == track1["minDCF_threshold"]
    assert same(act_dcf(bonafide, spoof), track1["actDCF"])
    assert same(cllr(bonafide, spoof), track1["cllr_bits"])


@pytest.mark.parametrize("name", SETS)
def test_figures_of_real_scores(name):
    cm, asv = SETS[name]
    bonafide, spoof, attacks = load_cm(cm)
    asv, figures = load_asv(asv), GOLDEN[name]["figures"]
    check_figures(bonafide, spoof, figures)
    least = min_cost(bonafide, spoof, tdcf_cost(asv, "2019"))
    assert same(least.value, figures["min_tdcf_2019"])
    assert least.threshold == figures["min_tdcf_2019_threshold"]
    assert same(min_tdcf(bonafide, spoof, asv, "2019"), figures["min_tdcf_2019"])
    assert same(min_tdcf(bonafide, spoof, asv, "2021"), figures["min_tdcf_2021_form"])
    for attack, expected in figures["per_attack"].items():
        chosen = spoof[attacks == attack]
        own = min_tdcf(bonafide, chosen, asv_rates(asv, attack), "2019")
        pooled = min_tdcf(bonafide, chosen, asv, "2019")
        assert same(eer(bonafide, chosen).rate, expected["eer"])
        assert same(own, expected["min_tdcf_2019_attack_asv"])
        assert same(pooled, expected["min_tdcf_2019_pooled_asv"])


def test_published_operating_point_of_oc_softmax():
    bonafide, spoof, _ = load_cm("la19_eval_cm_ocsoftmax")
    asv = load_asv("la19_eval_asv")
    assert round(100 * eer(bonafide, spoof).rate, 6) == 2.177987
    assert round(min_tdcf(bonafide, spoof, asv, "2019"), 6) == 0.055816


@pytest.mark.parametrize("name", ["la19_eval_asv", "la19_dev_asv"])
def test_asv_rates(name):
    asv, expected = load_asv(name), GOLDEN[name]
    rates = asv_rates(asv)
    assert same(eer(asv.target, asv.nontarget).rate, expected["eer"])
    assert rates.threshold == expected["threshold"]
    assert same(rates.false_alarm, expected["Pfa"])
    assert same(rates.miss, expected["Pmiss"])
    assert same(rates.miss_spoof, expected["Pmiss_spoof"])
    for attack, miss in expected["Pmiss_spoof_by_attack"].items():
        assert same(asv_rates(asv, attack).miss_spoof, miss)
    assert tdcf_weights(asv) == pytest.approx(expected["C012_2021"], abs=TOLERANCE)
    assert same(tdcf_weights(asv)[1], expected["C1_2019"])
    assert same(tdcf_weights(asv)[2], expected["C2_2019"])


def test_asvspoof5_tracks():
    arrays, golden = load("asvspoof5_tool_dev"), GOLDEN["asvspoof5_tool_dev"]
    cm, asv, label = arrays["cm_score"], arrays["asv_score"], arrays["sasv_label"]
    one, two, three = golden["track1"].values()
    check_figures(cm[label > 0], cm[label == 0], one)
    check_figures(asv[label == 1], asv[label == 2], two)
    check_figures(asv[label > 0], asv[label == 0], three)
    own_defaults = TandemCosts(0.05, 0.9, 0.05, 1, 10, 20)
    verification = AsvScores(asv[label == 1], asv[label == 2], asv[label == 0])
    tandem = 100 * t_eer(cm[label > 0], cm[label == 0], verification)
    track2 = min_tdcf(cm[label > 0], cm[label == 0], ASVSPOOF5_ASV, "2021")
    for score, expected in zip((asv, cm, asv + cm), golden["track2"].values(), strict=True):
        classes = [score[label == kind] for kind in (1, 2, 0)]
        eers = [expected[name] for name in ("sasv_eer", "sv_eer", "spf_eer")]
        assert same(a_dcf(*classes), expected["a_dcf"])
        assert same(a_dcf(*classes, own_defaults), expected["a_dcf_default_costmodel_of_a_dcf_py"])
        assert same(tandem, expected["t_eer_percent"])
        assert same(track2, expected["min_tdcf_track2"])
        assert sasv_eers(*classes) == pytest.approx(eers, abs=TOLERANCE)


def test_t_eer_equals_the_exhaustive_search():
    generator = np.random.default_rng(0)
    for _ in range(20):
        bonafide, spoof, target, nontarget, attack = (
            generator.normal(mean, 1, 30) for mean in (1, -1, 2, -2, 1)
        )
        assert same(
            t_eer(bonafide, spoof, AsvScores(target, nontarget, attack)),
            exhaustive_t_eer(bonafide, spoof, target, nontarget, attack),
        )


def exhaustive_t_eer(bonafide, spoof, target, nontarget, attack):
    frr, far, _ = det_curve(bonafide, spoof)
    everything = np.sort(np.concatenate([target, nontarget, attack]))
    found = []
    for threshold in np.append(everything[0] - 1, everything):
        miss = np.mean(target <= threshold)
        passed, spoofed = np.mean(nontarget > threshold), np.mean(attack > threshold)
        if miss >= 0.5 * passed + 0.5 * spoofed or spoofed == 0:
            continue
        gap = frr + (1 - frr) * miss - 0.5 * ((1 - frr) * passed + far * spoofed)
        at = np.argmin(np.abs(gap))
        if frr[at] < 1:
            balance = abs(passed / spoofed - far[at] / (1 - frr[at]))
            found.append((balance, spoofed * far[at]))
    return min(found, key=lambda pair: pair[0])[1]


HAND = {"bonafide": [1, 2, 3, 4], "spoof": [-1, 0, 0.5, 2.5]}


def numbers(case, kind):
    return [float(score) for score in case.get(kind, HAND[kind])]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_edge_cases(case):
    """Traps: quadratic ties, min(EER, flipped EER), EER for NaN scores."""
    bonafide, spoof = numbers(case, "bonafide"), numbers(case, "spoof")
    if not (bonafide and spoof and np.isfinite(bonafide + spoof).all()):
        for metric in (eer, eer_collapsed, min_dcf, act_dcf, cllr, auc):
            with pytest.raises(ValueError, match=r"bona fide|spoof"):
                metric(bonafide, spoof)
        return
    official = case["official"]
    value = official["compute_eer_2019_2021"].get("value")  # absent where lists are refused
    if value:
        assert same(eer(bonafide, spoof).rate, value["eer"])
        assert eer(bonafide, spoof).threshold == value["threshold"]
    track1 = official["asvspoof5_track1"]["value"]
    assert same(min_dcf(bonafide, spoof), track1["minDCF"])
    assert same(act_dcf(bonafide, spoof), track1["actDCF"])
    if math.isfinite(float(track1["cllr_bits"])):  # the official one computes in float32 if given
        tolerance = 1e-7 if case["name"] == "dtype_float32" else TOLERANCE
        assert cllr(bonafide, spoof) == pytest.approx(track1["cllr_bits"], abs=tolerance)
    if "eer_ties_collapsed" in case:
        assert same(eer_collapsed(bonafide, spoof).rate, case["eer_ties_collapsed"])
    for name, points in case.get("det_curve", {}).items():
        assert getattr(det_curve(bonafide, spoof), name) == pytest.approx(points, abs=TOLERANCE)
    check_tandem(bonafide, spoof, official)


def check_tandem(bonafide, spoof, official):
    asv = load_asv("la19_eval_asv")
    forms = {"2019": "compute_tDCF_2019", "2021": "get_mintDCF_eer_2021"}
    for form, function in forms.items():
        if "value" in official[function]:
            expected = official[function]["value"]["min_tdcf"]
            assert same(min_tdcf(bonafide, spoof, asv, form), expected)
        elif "exits" in official[function]:
            with pytest.raises(ValueError, match="soft scores"):
                min_tdcf(bonafide, spoof, asv, form)


def test_cllr_does_not_overflow():
    case = next(case for case in CASES if case["name"] == "llr_overflow")
    assert cllr(case["bonafide"], case["spoof"]) == pytest.approx(288.54, abs=0.005)


SIM = GOLDEN["sim2021"]
SUBSETS = ("eval", "progress", "hidden")
SIM_SCORES = ("LA_score.txt", "LA_score_ties.txt", "LA_score_inverted.txt")


def cells(table, names, rows):
    """{(row, column): (eer, min t-DCF)} under the official names."""
    return {
        (rows.get(row, row), names[column]): (rate, cost)
        for row, column, *_, rate, cost in table.iter_rows()
    }


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("file", SIM_SCORES)
def test_grid_of_2021_la(subset, file):
    root = "metrics/sim2021"
    key = golden_path(f"{root}/keys/LA/CM/trial_metadata.txt.gz")
    scores = read_scores(golden_path(f"{root}/{file}.gz"), key, subset)
    counts = SIM["counts"]["LA"][subset]
    assert (len(scores.bonafide), len(scores.spoof)) == (counts["bonafide"], counts["spoof"])
    asv = read_asv_table(
        golden_path(f"{root}/keys/LA/ASV/ASVTorch_Kaldi/score.txt.gz"),
        golden_path(f"{root}/keys/LA/ASV/trial_metadata.txt.gz"),
        subset,
    )
    names = {name: column for column, name in SIM["codec_columns"].items()}
    found = cells(grid(scores.table, asv), names, {})
    expected = SIM["official"]["LA"][subset][file]
    assert len(found) == sum(map(len, expected["eer"].values()))
    for (row, column), (rate, cost) in found.items():
        assert same(rate, expected["eer"][row][column])
        assert same(cost, expected["min_tdcf"][row][column])


@pytest.mark.parametrize("subset", SUBSETS)
def test_grid_of_2021_df(subset):
    key = golden_path("metrics/sim2021/keys/DF/CM/trial_metadata.txt.gz")
    scores = read_scores(golden_path("metrics/sim2021/DF_score.txt.gz"), key, subset)
    counts = SIM["counts"]["DF"][subset]
    assert (len(scores.bonafide), len(scores.spoof)) == (counts["bonafide"], counts["spoof"])
    names = {name: column for column, name in SIM["compression_columns"].items()}
    rows = {name: row for row, name in SIM["vocoder_rows"].items()}
    found = cells(grid(scores.table, rows="vocoder"), names, rows)
    expected = SIM["official"]["DF"][subset]["eer"]
    assert len(found) == sum(map(len, expected.values()))
    for (row, column), (rate, cost) in found.items():
        assert same(rate, expected[row][column])
        assert math.isnan(cost)


def test_weights_of_each_2021_cell():
    """The verification system's rates are those of the same subset, codec and attack."""
    root = "metrics/sim2021/keys/LA"
    keys = golden_path(f"{root}/ASV/trial_metadata.txt.gz")
    scores = golden_path(f"{root}/ASV/ASVTorch_Kaldi/score.txt.gz")
    codecs = SIM["codec_columns"]
    for subset in SUBSETS:
        table = read_asv_table(scores, keys, subset)
        expected = SIM["official"]["LA"][subset]["C012"]
        for attack, row in expected.items():
            for column, weights in row.items():
                codec = codecs[column]
                part = table if codec == "Pooled" else table.filter(table["codec"] == codec)
                of = {kind: part.filter(part["trial"] == kind) for kind in ("target", "nontarget")}
                spoof = part.filter(part["trial"] == "spoof")
                if attack != "Pooled":
                    spoof = spoof.filter(spoof["attack"] == attack)
                asv = AsvScores(of["target"]["score"], of["nontarget"]["score"], spoof["score"])
                assert tdcf_weights(asv) == pytest.approx(weights, abs=TOLERANCE)
