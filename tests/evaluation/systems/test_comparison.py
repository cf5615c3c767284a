"""Paired tests and fused detectors, through the tables a person sees."""

import numpy as np
import polars as pl
import pytest

from amsdf.cli.main import main
from amsdf.evaluation.systems.comparison import compare, compare_all
from amsdf.report.tables import comparison_table
from amsdf.scoring.score_files.table import Scores, write_scores


def scores(detector: str, separation: float, seed: int = 0, trials: int = 400) -> Scores:
    rng = np.random.default_rng(seed)
    labels = np.arange(trials) % 2
    values = rng.standard_normal(trials) + separation * labels
    table = pl.DataFrame(
        {"utt": [f"u{i}" for i in range(trials)], "score": values, "label": labels}
    )
    return Scores("set", table, {"detector": detector, "corpus": "set"})


def test_a_better_detector_differs_and_the_same_one_does_not():
    weak, strong = scores("weak", 1.0), scores("strong", 3.0)
    test = compare(weak, strong)
    assert test.difference > 0.15 and test.low > 0 and test.p_value < 0.01
    same = compare(weak, weak)
    assert same.difference == 0 and same.p_value == 1


def test_several_tests_are_corrected_together():
    """Ten equally good detectors: of 45 pairs some differ at p < 0.05 by chance."""
    found = compare_all([scores(f"d{seed}", 1.0, seed) for seed in range(10)])
    assert len(found) == 45
    assert sum(each.test.p_value < 0.05 for each in found) > 0
    assert not any(each.corrected < 0.05 for each in found)
    assert "for all 45 tests" in comparison_table(found).notes[0]


def test_scores_of_other_trials_do_not_lose_the_other_tests():
    one, other = scores("a", 1.0), scores("b", 2.0)
    part = Scores("set", scores("c", 1.0).table[:100], {"detector": "c", "corpus": "set"})
    found = compare_all([one, other, part])
    assert [each.test is None for each in found] == [False, True, True]
    assert found[1].unit == "not the same trials"


def test_trials_are_joined_by_id():
    weak, strong = scores("weak", 1.0), scores("strong", 3.0)
    shuffled = Scores("set", strong.table.sample(fraction=1, shuffle=True, seed=1), strong.header)
    assert compare(weak, shuffled).difference == compare(weak, strong).difference
    with pytest.raises(ValueError, match="only scores of the same trials"):
        compare(weak, Scores("set", strong.table[:100], strong.header))


def test_report_fuses_and_compares(tmp_path, capsys):
    for name, separation, seed in (("toy-seed1", 2.0, 1), ("toy-seed2", 2.0, 2)):
        write_scores(tmp_path / "scores" / name / "set.tsv", scores(name, separation, seed))
    words = ["report", str(tmp_path / "scores"), "--fuse", "vote", "--compare"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "vote of 2" in out and "toy-seed1 - toy-seed2" in out
    assert "average ± spread" in out


def test_tests_of_many_are_the_tests_of_two():
    """Each table is resampled once for all its tests; one in another order is joined by id."""
    tables = [scores(f"d{seed}", 1.0 + seed, seed) for seed in range(3)]
    last = tables[2]
    tables.append(Scores("set", last.table.reverse(), {"detector": "d3", "corpus": "set"}))
    found = {each.detectors: each.test for each in compare_all(tables)}
    assert found["d0", "d1"] == compare(tables[0], tables[1])
    assert found["d1", "d2"] == compare(tables[1], tables[2])
    assert found["d2", "d3"].difference == 0 and found["d1", "d3"] == found["d1", "d2"]
