"""`SpeechSpoofScore`: a mean over clips, in the form of a metric."""

import pytest
import torch
from command_line import SMALL, toy_calibration, toy_detector
from toy_sounds import speech

from amsdf import SpeechSpoofScore
from amsdf.scoring.judging.judge import Judge, load


@pytest.fixture(scope="module")
def judge(tmp_path_factory) -> Judge:
    folder = toy_detector(tmp_path_factory.mktemp("judge") / "mine", **SMALL)
    toy_calibration(folder, [0.2, 0.1, 0.3, -0.1], [-0.2, -0.1, 0.15, -0.3])
    return load(folder)


def clips() -> torch.Tensor:
    return torch.stack([torch.as_tensor(speech(1.0 + 0.1 * seed)[:16_000]) for seed in range(3)])


def test_it_is_the_mean_probability_of_all_clips(judge):
    metric = SpeechSpoofScore(judge)
    metric.update(clips()[:2])
    alone = metric(clips()[2])
    each = [judge(clip, 16_000).probability for clip in clips()]
    assert alone.item() == pytest.approx(each[2])
    assert metric.compute().item() == pytest.approx(sum(each) / 3)
    metric.reset()
    with pytest.raises(ValueError, match="call update first"):
        metric.compute()


def test_padding_is_not_heard(judge):
    padded = torch.nn.functional.pad(clips(), (0, 8_000))
    metric = SpeechSpoofScore(judge)
    lengths = torch.full((3,), 16_000)
    assert metric(padded, lengths).item() == pytest.approx(SpeechSpoofScore(judge)(clips()).item())
    with pytest.raises(ValueError, match="3 clips have 2 lengths"):
        metric.update(padded, lengths[:2])


def test_parts_of_several_processes_are_joined(judge):
    whole, first, second = (SpeechSpoofScore(judge) for _ in range(3))
    whole.update(clips())
    first.update(clips()[:1])
    second.update(clips()[1:])
    first.merge_state([second])
    assert first.compute().item() == pytest.approx(whole.compute().item())


def test_a_detector_without_calibration_gives_its_score(judge):
    bare = judge.as_published()
    clip = clips()[0]
    assert SpeechSpoofScore(bare)(clip).item() == pytest.approx(bare(clip, 16_000).score)
