"""ASVspoof 5 track 2 through files: the golden figures of the organisers' package."""

import json

import numpy as np
import polars as pl
import pytest
from command_line import amsdf
from kept_files import golden_path

from amsdf.evaluation.results import ResultSettings
from amsdf.evaluation.speaker_verification.sasv import sasv
from amsdf.scoring.score_files.table import read_scores

GOLDEN = json.loads(golden_path("metrics.json").read_text())["asvspoof5_tool_dev"]["track2"]
WORDS = {1: ("bonafide", "target"), 2: ("bonafide", "nontarget"), 0: ("spoof", "spoof")}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Score file with all three scores, and its key."""
    folder = tmp_path_factory.mktemp("track2")
    with np.load(golden_path("metrics/asvspoof5_tool_dev.npz")) as arrays:
        asv, cm = (arrays[name].astype(float) for name in ("asv_score", "cm_score"))
        trials = [WORDS[int(label)] for label in arrays["sasv_label"]]
    names = {"spk": ["s"] * len(trials), "filename": [f"E_{i}" for i in range(len(trials))]}
    scores = {"cm-score": cm, "asv-score": asv, "sasv-score": asv + cm}
    key = dict(zip(("cm-label", "asv-label"), zip(*trials, strict=True), strict=True))
    for name, columns in (("scores", scores), ("key", key)):
        pl.DataFrame({**names, **columns}).write_csv(folder / f"{name}.tsv", separator="\t")
    return folder


def test_track_2_figures(files):
    expected = GOLDEN["sasv=asv_score+cm_score"]
    scores = read_scores(files / "scores.tsv", files / "key.tsv")
    assert sasv(scores).eers[0].low is None  # one speaker says nothing about others
    found = sasv(scores, ResultSettings(resample="clip"))
    assert found.a_dcf.value == pytest.approx(expected["a_dcf"], abs=1e-9)
    assert found.a_dcf.low < found.a_dcf.value < found.a_dcf.high < 2 * found.a_dcf.low
    names = ("sasv_eer", "sv_eer", "spf_eer")
    rates = [each.value for each in found.eers]
    assert rates == pytest.approx([expected[name] for name in names], abs=1e-9)
    assert all(each.low < each.value < each.high for each in found.eers)
    official = GOLDEN["sasv=asv_score+cm_score"]["min_tdcf_track2"]
    assert found.min_tdcf.value == pytest.approx(official, abs=1e-9)
    assert found.min_tdcf.low < official < found.min_tdcf.high
    assert found.min_tdcf_own.value != pytest.approx(official)
    assert 100 * found.t_eer == pytest.approx(expected["t_eer_percent"], abs=1e-6)


def test_without_asv_scores_the_rates_of_the_organisers_are_taken(files, tmp_path):
    table = pl.read_csv(files / "scores.tsv", separator="\t")
    table.drop("asv-score").write_csv(tmp_path / "scores.tsv", separator="\t")
    found = sasv(read_scores(tmp_path / "scores.tsv", files / "key.tsv"))
    expected = GOLDEN["sasv=asv_score+cm_score"]["min_tdcf_track2"]
    assert found.min_tdcf.value == pytest.approx(expected, abs=1e-9) and found.t_eer is None


def test_report_prints_them(capsys, files, tmp_path):
    done = amsdf(
        capsys, "report", files / "scores.tsv", "--key", files / "key.tsv", "--out", tmp_path
    )
    assert done.status == 0, done.err
    (line,) = (line for line in done.out.splitlines() if line.startswith("scores on"))
    a_dcf, *_, t_eer = line.split()[3:]
    expected = GOLDEN["sasv=asv_score+cm_score"]
    assert (a_dcf, t_eer) == (f"{expected['a_dcf']:.4f}", f"{expected['t_eer_percent']:.2f}")
