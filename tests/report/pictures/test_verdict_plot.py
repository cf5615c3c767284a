"""The picture of a verdict: its outline, and what is drawn of which verdict."""

import numpy as np
import pytest

from amsdf.report.pictures.verdict_plot import draw_verdict, outline
from amsdf.scoring.calibration.points import OperatingPoint
from amsdf.scoring.judging.verdict import DetectorFacts, Span, Verdict, Window

POINT = OperatingPoint("default", 0.3, 0.7)


def verdict(point: OperatingPoint | None) -> Verdict:
    """Two windows, the second one flagged; without a point it is not calibrated."""
    chances = (0.9, 0.1) if point else (None, None)
    windows = (Window(0.0, 4.0, 0.5, chances[0]), Window(2.0, 6.0, -0.5, chances[1]))
    return Verdict(
        decision="fake" if point else "cannot tell",
        reason="",
        score=0.0,
        probability=0.2 if point else None,
        seconds=6.0,
        windows=windows,
        flagged=(Span(2.0, 6.0),) if point else (),
        warnings=(),
        operating_point=point,
        detector=DetectorFacts("toy"),
    )


@pytest.mark.parametrize("samples", [1, 100, 16_000, 16_000 * 90 + 7])
def test_an_outline_has_the_extremes_in_few_points(samples):
    waveform = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    found = outline(np.array_split(waveform, 3))
    assert len(found) == min(2000, -(-samples // 160))
    assert found[:, 0].min() == waveform.min() and found[:, 1].max() == waveform.max()
    assert (found[:, 0] <= found[:, 1]).all()


def test_an_outline_keeps_the_order_of_time():
    waveform = np.repeat(np.arange(10, dtype=np.float32), 16_000)
    found = outline(waveform[at : at + 999] for at in range(0, len(waveform), 999))
    assert (np.diff(found[:, 1]) >= 0).all() and found[0, 0] == 0 and found[-1, 1] == 9


def test_what_is_drawn_is_what_is_known():
    shape = outline([np.ones(96_000, np.float32)])
    drawn = draw_verdict(verdict(POINT), shape, "call.wav", "svg").decode()
    for words in ("call.wav", "sounds machine-made", "fake up to 0.30", "real from 0.70"):
        assert f"<!-- {words}" in drawn, words
    plain = draw_verdict(verdict(None), shape, "call.wav", "svg").decode()
    assert "<!-- score -->" in plain and "machine-made" not in plain
