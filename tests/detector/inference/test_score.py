"""`Detector.score` as a library user calls it: what it takes, refuses, and keeps."""

import numpy as np
import pytest
import torch
from command_line import SMALL
from golden_names import close
from toys import toy_experiment

from amsdf.detector.detector import Detector
from amsdf.testing import REPEATED


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return Detector.build(toy_experiment(**SMALL)).eval()


def test_one_waveform_arrays_and_batches_score_alike(detector):
    clips = torch.randn(2, 8000, generator=torch.Generator().manual_seed(1))
    scores = detector.score(clips)
    assert scores.shape == (2,) and scores.dtype == torch.float32
    close(detector.score(clips[0]), scores[:1])
    close(detector.score(clips.numpy()), scores, REPEATED)
    close(detector.score(clips.numpy()[1]), scores[1:])


def test_a_graph_is_kept_in_training_mode_only(detector):
    clips = torch.randn(2, 8000)
    assert not detector.score(clips).requires_grad
    detector.train()
    assert detector.score(clips).requires_grad
    detector.eval()


@pytest.mark.parametrize(
    ("waveform", "reason"),
    [
        (torch.zeros(0), r"shape \(1, 0\); give \(B, S\)"),
        (torch.zeros(2, 1, 8000), r"shape \(2, 1, 8000\)"),
        (torch.stack([torch.randn(8000), torch.zeros(8000)]), "waveform 1 is digital silence"),
        (np.full(8000, np.nan, np.float32), "waveform 0 has samples that are NaN"),
        (torch.full((8000,), torch.inf), "waveform 0 has samples that are NaN or infinite"),
        (np.ones(8000, np.int16), "int16; give floats"),
    ],
)
def test_what_nobody_can_judge_is_refused(detector, waveform, reason):
    with pytest.raises(ValueError, match=reason):
        detector.score(waveform)


def test_silence_inside_a_recording_is_no_reason_to_refuse_it(detector):
    """A window of a long recording may well be silent."""
    assert detector.score_unchecked(torch.zeros(1, 8000)).isfinite().all()
