"""The matrix: marks, pooling, one threshold a detector, what intervals are drawn by."""

from dataclasses import replace

import numpy as np
import pytest
from test_results import at
from toy_scores import noisy, table

from amsdf.evaluation.breakdowns import breakdown
from amsdf.evaluation.cautions import cautions, worst_parts
from amsdf.evaluation.figures import Cut, Given
from amsdf.evaluation.matrix import matrix
from amsdf.evaluation.results import ResultSettings, result_of
from amsdf.metrics import Resampling, bootstrap
from amsdf.report.tables import breakdown_table, errors_table, matrix_table
from amsdf.scoring.score_files.table import class_scores
from amsdf.scoring.score_files.units import unit_of


def marked(scores, **header):
    return replace(scores, header={**scores.header, **header})


@pytest.mark.parametrize(
    ("overlap", "mark"), [("seen", "*"), ("same speakers", "†"), ("same corpus", "‡")]
)
def test_what_a_detector_has_seen_is_marked_and_not_pooled(overlap, mark):
    """Trap: the training set counts in the mean."""
    scores = [noisy(1, 1, corpus="x"), noisy(1, 2, corpus="y"), noisy(4, 3, corpus="known")]
    scores[2] = marked(scores[2], overlap=overlap)
    results = matrix(scores)
    assert (results.shared, results.left_out) == (("x", "y"), ("known",))
    assert results.pooled["ours"].num_bonafide == 400
    shown = matrix_table(results)
    assert shown.rows[2][-1].endswith(f" {mark}") and not shown.rows[0][-1].endswith(mark)
    assert shown.notes[0].startswith(mark) and shown.notes[1].endswith("without known")
    assert "known: left out of pooled and mean figures" in cautions(results)[0]

    everything = matrix(scores, settings=ResultSettings(pool_all=True))
    assert everything.shared == ("x", "y", "known")
    assert everything.pooled["ours"].num_bonafide == 600


def test_a_set_that_one_detector_has_seen_is_pooled_for_none():
    scores = [noisy(1, n, detector, corpus) for n, detector in enumerate("ab") for corpus in "xyz"]
    scores[5] = marked(scores[5], overlap="seen")
    results = matrix(scores)
    assert results.shared == ("x", "y")
    assert {each.num_spoof for each in results.pooled.values()} == {400}


def test_what_was_calibrated_on_has_no_error_rates_at_the_dev_threshold():
    """FRR = FAR = EER to the digit: a threshold chosen on the trials that it is tried on."""
    scores = [marked(noisy(1, n, corpus=name), manifest_hash=name) for n, name in enumerate("xy")]
    results = matrix(scores, calibrations={"ours": at(0.5, manifests=["x"])})
    fitted, other = (results.cells["ours", name] for name in "xy")
    assert fitted.calibrated_on and "frr" not in fitted.figures
    assert not other.calibrated_on and other.cut == "dev"
    real, fake = class_scores(scores[1])
    assert other.value("frr") == np.mean(real <= 0.5) and other.value("far") == np.mean(fake > 0.5)
    assert matrix_table(results).rows[0][-1].endswith(" §")
    assert errors_table(results).rows[0][1:] == ("–", "–")


def test_one_threshold_shows_what_one_eer_a_group_hides():
    """Each corpus has an EER of 0, and half of the real speech of one is rejected in use."""
    near = table(np.linspace(2, 3, 20), np.linspace(-1, 0, 20), corpus="near")
    far = table(np.linspace(-2, -1, 20), np.linspace(-5, -4, 20), corpus="far")
    results = matrix([near, far])
    assert [cell.eer for cell in results.cells.values()] == [0, 0]
    assert {cell.cut for cell in results.cells.values()} == {"the EER of all these corpora"}
    (line,) = worst_parts(results)
    assert "worst on far, " in line and "of the real speech rejected" in line
    assert results.cells["ours", "far"].value("frr") > 0.4
    assert results.cells["ours", "near"].value("frr") == 0


def test_the_worst_group_is_in_the_headline():
    real = [*np.linspace(2, 3, 20), *np.linspace(-2, -1, 20)]
    scores = table(real, np.linspace(-5, -4, 40), room=(["near"] * 20 + ["far"] * 20) * 2)
    title = breakdown_table(breakdown(scores, "room", Given(cut=Cut(0.0, "dev"))), "room").title
    assert title == "by room; worst at one threshold: far, 100.00 % of the real speech rejected"


def test_calibrated_figures_are_beside_raw_ones():
    scores = noisy(2, 1)
    raw = result_of(scores)
    assert "cllr_calibrated" not in raw.figures and "ece" not in raw.figures
    results = matrix([scores], calibrations={"ours": at(0.0)})
    figures = results.cells["ours", "here"].figures
    assert figures["cllr"] != figures["cllr_calibrated"]
    assert set(figures) >= {"act_dcf", "act_dcf_calibrated", "ece", "accuracy", "f1"}
    assert all(low < value < high for value, low, high in figures.values())


def test_an_interval_holds_the_official_eer_of_equal_scores():
    figures = result_of(table([1.0] * 40, [1.0] * 40)).figures
    value, low, high = figures["eer"]
    assert value == high == 1 and low < 0.5
    value, low, high = figures["eer_collapsed"]
    assert low < value == 0.5 < high


def test_only_the_figures_that_are_wanted_are_computed():
    found = result_of(noisy(2, 1), settings=ResultSettings(figures=["min_dcf"]))
    assert set(found.figures) == {"min_dcf", "eer", "eer_collapsed", "auc"}


@pytest.mark.parametrize(
    ("columns", "wanted", "text"),
    [
        ({}, "auto", "by clip"),
        ({"speaker": [f"s{n % 8}" for n in range(40)]}, "auto", "by speaker, 8"),
        ({"speaker": [f"s{n % 8}" for n in range(40)]}, "clip", "by clip"),
        ({"speaker": [f"s{n % 3}" for n in range(40)]}, "auto", "too few: 3 speakers"),
        (
            {"speaker": [f"s{n % 8}" for n in range(40)], "source": ["a", "b"] * 20},
            "auto",
            "by speaker, 8",
        ),
        (
            {"speaker": [f"s{n % 8}" for n in range(40)], "source": list("abcde") * 8},
            "auto",
            "by source, 5",
        ),
        ({"speaker": [None] * 20 + [f"s{n % 8}" for n in range(20)]}, "auto", "by speaker, 8"),
        ({"room": [f"r{n % 6}" for n in range(40)]}, "room", "by room, 6"),
        (
            {"speaker": [f"s{max(n % 20 - 12, 0)}" for n in range(40)]},
            "auto",
            "by speaker, 8",
        ),
        (
            {"speaker": [f"s{max(n % 20 - 15, 0)}" for n in range(40)]},
            "auto",
            "too few: one speaker has most clips",
        ),
    ],
)
def test_what_is_drawn(columns, wanted, text):
    assert unit_of(table(range(20), range(20), **columns), wanted).text == text


def test_a_column_that_is_absent_is_refused():
    with pytest.raises(ValueError, match=r"--resample speeker: .* Did you mean 'speaker'\?"):
        unit_of(table([1], [0], speaker=["a", "b"]), "speeker")


def test_a_pool_is_drawn_by_source():
    """Each corpus is a source; its speakers are its own."""
    scores = [noisy(1, n, corpus=f"c{n}", num=30) for n in range(6)]
    results = matrix(scores)
    assert results.pooled["ours"].unit == "by source, 6"
    assert results.cells["ours", "c0"].unit == "by clip"
    assert results.macro["ours"].low < results.macro["ours"].value < results.macro["ours"].high


def test_a_result_has_the_interval_of_its_speakers():
    speakers = [f"s{n % 7}" for n in range(80)]
    scores = noisy(1, 3, num=40)
    scores = table(*class_scores(scores), speaker=speakers)
    how = Resampling(groups=(speakers[:40], speakers[40:]))
    expected = bootstrap(*class_scores(scores), how=how)
    assert result_of(scores).figures["eer"][1:] == pytest.approx(tuple(expected), abs=1e-12)


def test_a_pool_is_drawn_by_the_column_that_is_asked_for():
    rooms = [f"r{n % 6}" for n in range(40)]
    scores = [table(range(20), range(20), corpus=corpus, room=rooms) for corpus in "xy"]
    results = matrix(scores, settings=ResultSettings(resample="room"))
    assert results.cells["ours", "x"].unit == "by room, 6"
    assert results.pooled["ours"].unit == "by room, 12"
