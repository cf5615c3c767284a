"""What each optimiser is given; that schedules reach them is a test of the trainer."""

from toys import toy_experiment

from amsdf.detector.detector import Detector
from amsdf.training.optimizers import build_optimizers


def test_the_centre_has_a_rate_of_its_own_and_no_weight_decay():
    settings = {"weight_decay": 0.1, "centre": {"learning_rate": 0.5}}
    detector = Detector.build(toy_experiment(train=settings))
    network, centre = build_optimizers(detector, detector.experiment.train)
    assert {group["weight_decay"] for group in network.param_groups} == {0.1}
    (group,) = centre.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.0)
    assert group["params"] == detector.loss.centre_parameters()
    of_network = {id(p) for group in network.param_groups for p in group["params"]}
    assert id(group["params"][0]) not in of_network
