"""A view of a frozen encoder depends on its clip alone, to the last bit."""

import pytest
import torch
from toys import PLAIN, toy_experiment

from amsdf.config import Experiment
from amsdf.detector.detector import Detector
from amsdf.detector.inference.frozen import encode_alone, frozen_views, stack_views
from amsdf.testing import waveforms

ENCODERS = {
    "acrnn": {"encoder": "acrnn", "frames": 98, "channels": 8, "later_channels": 16, "lstm": 16},
    "sinc": {"encoder": "sinc-resnet", "filters": 24, "channels": [8, 8, 16, 16, 16]},
    "xlsr": {"encoder": "xlsr", "hidden": 32, "layers_count": 2, "heads": 2, "ffn": 64},
    "lfcc": {"encoder": "lfcc"},
}
CONDITIONED = {"band_hz": (50, 7000), "level_db": -26, "samples": 8000}


@pytest.mark.parametrize("name", list(ENCODERS))
@pytest.mark.parametrize("clip", [{"samples": 8000}, CONDITIONED])
def test_a_view_has_the_same_bits_in_every_company(name, clip):
    views = {"only": {**ENCODERS[name], "freeze": True}}
    head = {"name": "pool-linear"}
    detector = Detector.build(Experiment.parse({"views": views, "head": head, "clip": clip})).eval()
    sounds = waveforms(5, 8000)
    together = frozen_views(detector, sounds, None)["only"]
    (alone,) = frozen_views(detector, sounds[3:4], None)["only"]
    assert torch.equal(together[3], alone)
    assert torch.equal(encode_alone(detector, ["only"], sounds[3])["only"], alone)
    torch.testing.assert_close(detector.views(sounds)[0]["only"], together)


def test_views_of_whole_utterances_are_those_of_each_without_padding():
    changes = {"views": {"text": {"freeze": True}}, "clip": {"samples": None}, **PLAIN}
    detector = Detector.build(toy_experiment(**changes)).eval()
    sounds, lengths = waveforms(3, 8000), torch.tensor([8000, 3000, 6000])
    found = frozen_views(detector, sounds, lengths)["text"]
    expected, masks = detector.views(sounds, lengths)
    real = masks["text"][..., None]
    torch.testing.assert_close(found * real, expected["text"] * real)
    (alone,) = encode_alone(detector, ["text"], sounds[1, :3000]).values()
    assert torch.equal(found[1, : len(alone)], alone) and not found[1, len(alone) :].any()


def test_views_that_learn_are_left_to_the_detector():
    detector = Detector.build(toy_experiment(views={"text": {"freeze": True}}))
    assert frozen_views(detector, waveforms(2, 8000), None).keys() == {"text"}
    detector = Detector.build(toy_experiment())
    assert frozen_views(detector, waveforms(2, 8000), None) == {}


def test_stacks_of_layers_are_padded_along_their_nodes():
    short, long = torch.ones(3, 2, 4), torch.ones(3, 5, 4)
    stack = stack_views([{"a": short}, {"a": long}])["a"]
    assert stack.shape == (2, 3, 5, 4)
    assert stack[0].sum() == short.sum()
