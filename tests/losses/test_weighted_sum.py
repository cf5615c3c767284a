"""Sums of losses: what they add up to, which part scores, and sums that could never score."""

import pytest
from golden_names import close
from test_losses import EBM, batch, build
from toys import toy_experiment

from amsdf import Detector
from amsdf.testing import REPEATED


def test_weighted_sum_adds_and_scores_with_the_first_part_able_to():
    embeddings, labels = batch()
    parts = [
        {"name": "bonafide-pairs", "weight": 0.5},
        {"name": "oc-softmax", "weight": 2, "alpha": 10},
        {"name": "p2sgrad"},
    ]
    loss = build("weighted-sum", parts=parts)
    pairs, one_class, p2s = loss.parts
    expected = (
        0.5 * pairs(embeddings, labels, embeddings)
        + 2 * one_class(embeddings, labels)
        + p2s(embeddings, labels)
    )
    close(loss(embeddings, labels, embeddings), expected)
    close(loss.score(embeddings), one_class.score(embeddings), REPEATED)
    named = build("weighted-sum", parts=parts, score_with="p2sgrad")
    close(named.score(embeddings), named.parts[2].score(embeddings), REPEATED)
    assert loss.centre_parameters() == [one_class.centre, p2s.classes]


def test_weighted_sum_tells_its_parts_the_epoch():
    parts = [{"name": "acs", "reset_each_epoch": True}]
    loss = build("weighted-sum", parts=parts)
    loss(*batch())
    loss.start_epoch(1)
    assert loss.parts[0].count == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": []}, "must be a list of"),
        ({"parts": [{"weight": 1}]}, "must be a list of"),
        ({"parts": [{"name": "oc-sofmax"}]}, "Did you mean 'oc-softmax'"),
        ({"parts": [{"name": "acs", "alpha": 1}]}, "unexpected keyword argument 'alpha'"),
        ({"parts": [{"name": "acs", "weight": -1}]}, "must not be negative"),
        ({"parts": EBM, "score_with": "eoc-softmx"}, "Did you mean 'eoc-softmax'"),
        ({"parts": EBM[1:]}, "parts bonafide-pairs cannot score; add one that can, such as oc-"),
        (
            {"parts": EBM, "score_with": "bonafide-pairs"},
            "score_with 'bonafide-pairs' cannot score; name one of eoc-softmax",
        ),
    ],
)
def test_weighted_sum_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        build("weighted-sum", **arguments)


@pytest.mark.parametrize("loss", ["bonafide-pairs", {"name": "weighted-sum", "parts": EBM[1:]}])
def test_a_detector_whose_loss_cannot_score_is_not_built(loss):
    """Trap: such a run failed only at its first dev scores, an epoch later."""
    with pytest.raises(ValueError, match=r"bonafide-pairs.* cannot score; .* such as '?oc-softmax"):
        Detector.build(toy_experiment(loss=loss, views={"text": None}))
