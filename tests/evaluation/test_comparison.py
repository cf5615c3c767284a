"""Paired tests and fused detectors, through the tables a person sees."""

import numpy as np
import polars as pl
import pytest

from amsdf.cli.main import main
from amsdf.evaluation.comparison import compare
from amsdf.scoring.score_files import Scores, write_scores


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
