"""A view starts from the view of another detector that has the same encoder."""

from pathlib import Path

import pytest
import torch
from toys import toy_experiment

from amsdf.detector.detector import Detector
from amsdf.detector.storage.pretrained import find_pretrained
from amsdf.detector.storage.pretrained_views import architecture_of


@pytest.fixture
def giver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Detector:
    torch.manual_seed(3)
    detector = Detector.build(toy_experiment()).eval()
    detector.save_pretrained(tmp_path / "giver")
    monkeypatch.setenv("AMSDF_PRETRAINED", str(tmp_path))
    return detector


def test_weights_and_architecture_come_from_it(giver: Detector) -> None:
    encoder = giver.experiment.views["audio"].encoder
    assert architecture_of(encoder, "giver") == giver.experiment.views["audio"].args

    torch.manual_seed(4)
    taker = Detector.build(toy_experiment(views={"audio": {"pretrained": "giver"}}))
    taker.load_pretrained(find_pretrained)
    given, taken = giver.encoder("audio").state_dict(), taker.encoder("audio").state_dict()
    assert all(torch.equal(given[key], taken[key]) for key in given)
    others = giver.head.state_dict(), taker.head.state_dict()
    assert any(not torch.equal(others[0][key], others[1][key]) for key in others[0])


def test_a_detector_without_such_an_encoder_is_refused(giver: Detector) -> None:
    with pytest.raises(ValueError, match="no view of this detector has encoder 'mfcc'; it has"):
        architecture_of("mfcc", "giver")
