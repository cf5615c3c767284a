"""Which parts of a recording are listened to, and how their scores become one."""

import numpy as np
import pytest
import torch
from toys import toy_experiment

from amsdf.audio import fit
from amsdf.detector.inference.cutting import cut
from amsdf.detector.inference.windows import describe_rule, part_starts, parts_of, pool

WINDOWS = {"parts": "windows", "hop": 0.5}
RULES = {
    "first": {},
    "centre": {"clip": {"eval_crop": "centre"}},
    "windows": {"score": WINDOWS},
    "far apart": {"score": {**WINDOWS, "hop": 1.0}, "clip": {"short": "zero"}},
    "close": {"score": {**WINDOWS, "hop": 0.13}},
    "whole": {"clip": {"samples": None}},
}


def starts(length: int, **changes) -> list[int]:
    experiment = toy_experiment(**changes)
    waveform = np.arange(1, length + 1, dtype=np.float32)
    return [part.start for part in cut([waveform], experiment)]


def test_windows_overlap_by_half_and_reach_the_end():
    """The last window ends with the recording, however little it adds."""
    experiment = toy_experiment(score=WINDOWS)  # clips of 8000 samples
    parts = list(cut([np.arange(20_001, dtype=np.float32)], experiment))
    assert [part.start for part in parts] == [0, 4000, 8000, 12_000, 12_001]
    assert parts[-1].waveform[-1] == 20_000 and {len(part.waveform) for part in parts} == {8000}
    assert [part.last for part in parts] == [False] * 4 + [True]


def test_what_fits_into_a_window_is_one():
    assert starts(8000, score=WINDOWS) == starts(7999, score=WINDOWS) == starts(1) == [0]
    assert starts(8001, score=WINDOWS) == [0, 1] and starts(30_000) == [0]
    assert starts(12_001, clip={"eval_crop": "centre"}) == [2000]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("length", [1, 1000, 7999, 8000, 8001, 16_000, 33_333])
@pytest.mark.parametrize("size", [1, 977, 8000, 40_000])
def test_blocks_of_any_size_give_the_parts_of_the_whole(rule, length, size):
    if length // size > 2000:
        size = 100
    experiment = toy_experiment(**RULES[rule])
    waveform = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    blocks = [waveform[start : start + size] for start in range(0, length, size)]
    parts = list(cut(iter(blocks), experiment, row=3))
    assert [part.start for part in parts] == part_starts(length, experiment)
    whole, power = parts_of(torch.from_numpy(waveform), experiment)
    assert np.array_equal(np.stack([part.waveform for part in parts]), whole.numpy())
    assert [part.power for part in parts] == pytest.approx(power.tolist())
    assert all(part.row == 3 and part.end <= length for part in parts)


def test_one_clip_is_what_it_always_was():
    """Published systems listen to the first clip: their scores stay."""
    experiment = toy_experiment()
    for length in (3, 9000):
        waveform = np.random.default_rng(1).standard_normal(length).astype(np.float32)
        (part,) = cut([waveform], experiment)
        assert np.array_equal(part.waveform, fit(waveform, experiment.clip, 8000))


def test_a_low_quantile_hears_a_short_splice():
    """Nine real windows and three fake ones: the mean is real, the quantile is not."""
    scores = torch.tensor([1.0] * 9 + [-1.0] * 3)
    loud = torch.ones(12)
    rule = {**WINDOWS, "pool": "quantile", "quantile": 0.1}
    assert pool(scores, loud, toy_experiment(score=WINDOWS).score) == 0.5
    assert pool(scores, loud, toy_experiment(score=rule).score) == -1


def test_windows_without_speech_do_not_count():
    rule = toy_experiment(score=WINDOWS).score
    scores, power = torch.tensor([1.0, -9.0, 2.0]), torch.tensor([1.0, 1e-5, 0.5])
    assert pool(scores, power, rule) == 1.5
    assert pool(scores, torch.zeros(3), rule) == -2, "all of them are equally quiet"


def test_two_rules_have_two_descriptions():
    """Score files and calibrations of two rules are not taken for one another."""
    described = {describe_rule(toy_experiment(**changes)) for changes in RULES.values()}
    assert len(described) == len(RULES)
    assert describe_rule(toy_experiment()) == "8000 samples, short: repeat, crop: start"
    low = {**WINDOWS, "pool": "quantile"}
    assert describe_rule(toy_experiment(score=low)) == (
        "windows of 8000 samples, short: repeat, hop: 0.5, pool: quantile 0.25"
    )
