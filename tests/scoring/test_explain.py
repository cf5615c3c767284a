"""What a view contributes to a score."""

from toys import tone, toy_experiment

from amsdf.detector.detector import Detector
from amsdf.scoring.explain import explain


def test_evidence_is_of_the_detector_as_it_scores():
    """Without dropout, whatever the detector did before: two explanations are equal."""
    detector = Detector.build(toy_experiment(head={"name": "graph-fusion"})).train()
    clip = tone(120, seconds=0.5).astype("float32")
    first, again = (explain(detector, clip) for _ in range(2))
    assert [(e.view, round(e.change, 6)) for e in first] == [
        (e.view, round(e.change, 6)) for e in again
    ]
