"""Frozen views are computed once for each clip, and training cannot tell the difference."""

from typing import Any

import pytest
import torch
from toys import toy_experiment

from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.testing import waveforms
from amsdf.training.clips.view_memory import ViewMemory
from amsdf.training.step import Objective

LABELS = torch.tensor([0, 1, 0, 1])


def detector_of(**train: Any) -> Detector:
    torch.manual_seed(0)
    changes = {"views": {"audio": {"freeze": True}, "text": {"freeze": True}}, "train": train}
    return Detector.build(toy_experiment(**changes)).eval()


def batch(sounds: torch.Tensor) -> Batch:
    return Batch(sounds, LABELS, [0, 1, 2, 3], None, None, [])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> tuple[Detector, list[int]]:
    detector = detector_of()
    clips: list[int] = []
    forward = detector.encoder("audio").forward

    def count(waveform: torch.Tensor) -> torch.Tensor:
        clips.append(len(waveform))
        return forward(waveform)

    monkeypatch.setattr(detector.encoder("audio"), "forward", count)
    return detector, clips


def test_the_loss_is_that_of_training_without_memory() -> None:
    sounds = waveforms(4, 8000)
    plain = Objective(detector_of())(batch(sounds))
    remembering = Objective(detector_of(remember_views=True))
    first, second = remembering(batch(sounds)), remembering(batch(sounds))
    assert first == plain and second == plain, "to the last bit"


def test_only_clips_that_are_new_are_encoded(counted: tuple[Detector, list[int]]) -> None:
    detector, clips = counted
    memory, sounds = ViewMemory(detector), waveforms(4, 8000)
    memory.known(sounds)
    memory.known(sounds[[3, 1, 0, 2]])
    changed = sounds.clone()
    changed[2, 100] += 0.1
    memory.known(changed)
    assert clips == [1] * 5, "each by itself"


def test_views_keep_the_order_of_the_clips() -> None:
    detector, sounds = detector_of(), waveforms(4, 8000)
    memory = ViewMemory(detector)
    first = memory.known(sounds)["audio"]
    turned = memory.known(sounds.flip(0))["audio"]
    torch.testing.assert_close(turned, first.flip(0))


def test_what_does_not_fit_is_computed_again(counted: tuple[Detector, list[int]]) -> None:
    detector, clips = counted
    memory, sounds = ViewMemory(detector, most_bytes=0), waveforms(4, 8000)
    memory.known(sounds)
    memory.known(sounds)
    assert clips == [1] * 8
    assert memory.bytes_kept == 0
