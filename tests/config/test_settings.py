"""Settings do not change, nested ones neither; they can still be copied, sent and written."""

import copy
import json
import pickle

import pytest
import yaml

from amsdf import registry
from amsdf.config import Experiment
from amsdf.config.settings import thaw

PARTS = [{"name": "oc-softmax", "weight": 1.0}, {"name": "acs", "weight": 0.5}]


@pytest.fixture
def data() -> dict:
    return {
        "views": {"audio": {"encoder": "lfcc", "coefficients": 12}},
        "loss": {"name": "weighted-sum", "parts": PARTS},
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.views.update(other=e.views["audio"]),
        lambda e: e.views.pop("audio"),
        lambda e: e.views["audio"].args.__setitem__("coefficients", 20),
        lambda e: e.head.args.setdefault("width", 3),
        lambda e: e.loss.args["parts"][0].clear(),
        lambda e: e.loss.args["parts"][1].__delitem__("name"),
        lambda e: e.loss.args.__ior__({"x": 1}),
        lambda e: e.loss.args.popitem(),
        lambda e: setattr(e, "seed", 2),
    ],
)
def test_nothing_in_an_experiment_changes(data, change):
    experiment = Experiment.parse(data)
    before = experiment.digest()
    with pytest.raises((TypeError, ValueError), match=r"settings do not change|frozen"):
        change(experiment)
    assert experiment.digest() == before


def test_an_experiment_is_not_what_it_was_made_of(data):
    experiment = Experiment.parse(data)
    before = experiment.digest()
    data["views"]["audio"]["coefficients"] = 20
    data["loss"]["parts"][0]["weight"] = 9
    assert experiment.digest() == before


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda e: pickle.loads(pickle.dumps(e)),
        lambda e: Experiment.from_yaml(e.to_yaml()),
        lambda e: Experiment.parse(json.loads(json.dumps(e.model_dump()))),
        lambda e: Experiment.parse(yaml.safe_load(yaml.safe_dump(e.model_dump(mode="json")))),
    ],
)
def test_an_experiment_is_copied_sent_and_written(data, again):
    experiment = Experiment.parse(data)
    found = again(experiment)
    assert found == experiment and found.digest() == experiment.digest()
    with pytest.raises(TypeError, match="settings do not change"):
        found.loss.args["parts"][0].clear()


def test_a_plugin_may_change_what_it_is_given(data):
    experiment = Experiment.parse(data)
    given = thaw(experiment.loss.args)
    given["parts"][0].clear()
    assert experiment.loss.args["parts"] == PARTS
    registry.build("losses", "weighted-sum", 8, **thaw(experiment.loss.args))
    assert experiment.loss.args["parts"] == PARTS
