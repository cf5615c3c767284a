"""One layer of settings upon another: recipe, file, flags."""

import pytest

from amsdf.config import merge

BASE = {
    "views": {"audio": {"encoder": "lfcc", "coefficients": 20}, "text": "xlsr"},
    "head": {"name": "mine", "loss": "l2", "train": ["a"], "shape": {"a": 1}, "views": {"x": "y"}},
    "train": {"centre": {"optimizer": "sgd"}, "epochs": 3},
}


@pytest.mark.parametrize(
    ("over", "path", "value"),
    [
        ({"head": {"loss": "l1"}}, "head.args.loss", "l1"),
        ({"head": {"dim": 3}}, "head.args.loss", "l2"),
        ({"head": {"dim": 3}}, "head.args.train", ["a"]),
        ({"head": {"dim": 3}}, "head.args.views", {"x": "y"}),
        ({"head": {"args": {"name": "n"}}}, "head.args.loss", "l2"),
        ({"head": {"args": {"loss": "l1"}}}, "head.args.loss", "l1"),
        ({"head": {"shape": {"b": 2}}}, "head.args.shape", {"a": 1, "b": 2}),
        ({"head": {"shape": None}}, "head.args.shape", None),
        ({"head": "other"}, "head", {"name": "other", "args": {}}),
        ({"views": {"audio": {"args": {"coefficients": 9}}}}, "views.audio.args.coefficients", 9),
        ({"views": {"audio": {"freeze": True}}}, "views.audio.args", {"coefficients": 20}),
        ({"views": {"text": {"freeze": True}}}, "views.text.encoder", "xlsr"),
        ({"views": {"audio": "mfcc"}}, "views.audio", {"encoder": "mfcc", "args": {}}),
        ({"train": ["b"]}, "train", {**BASE["train"], "corpora": ["b"]}),
        ({"train": {"centre": None}}, "train.centre", None),
    ],
)
def test_shorthands_are_written_out_at_the_top_and_arguments_stay_as_they_are(over, path, value):
    found = merge(BASE, over)
    for key in path.split("."):
        found = found[key]
    assert found == value


def test_null_takes_a_view_or_a_group_away():
    assert set(merge(BASE, {"views": {"text": None}})["views"]) == {"audio"}
    assert "head" not in merge(BASE, {"head": None})
