"""Copies of one loss over the embeddings of several classifiers."""

import pytest
from golden_names import close
from test_losses import batch, build

from amsdf.testing import REPEATED


def test_each_copy_sees_its_own_part_and_the_last_scores():
    embeddings, labels = batch()
    loss = build("split-sum", loss={"name": "eoc-softmax", "alpha": 5}, weights=[0.5, 2.0])
    first, last = loss.parts
    left, right = embeddings[:, :16], embeddings[:, 16:]
    expected = 0.5 * first(left, labels) + 2 * last(right, labels)
    close(loss(embeddings, labels), expected)
    close(loss.score(embeddings), last.score(right), REPEATED)
    centres = 0.5 * first.centre_loss(left, labels) + 2 * last.centre_loss(right, labels)
    close(loss.centre_loss(embeddings, labels), centres)
    assert loss.centre_parameters() == [first.centre, last.centre]


def test_pairs_are_split_like_embeddings():
    embeddings, labels = batch()
    parts = [{"name": "oc-softmax"}, {"name": "bonafide-pairs"}]
    loss = build("split-sum", loss={"name": "weighted-sum", "parts": parts}, weights=[1.0, 1.0])
    assert loss.wants_pairs
    pairs = embeddings.flip(0)
    expected = loss.parts[0](embeddings[:, :16], labels, pairs[:, :16])
    expected = expected + loss.parts[1](embeddings[:, 16:], labels, pairs[:, 16:])
    close(loss(embeddings, labels, pairs), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": [1.0] * 5}, "5 weights do not divide the embedding width 32; give one for"),
        ({"weights": []}, "0 weights do not divide"),
        ({"loss": {"name": "bonafide-pairs"}}, "parts bonafide-pairs cannot score"),
    ],
)
def test_what_cannot_be_split_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build("split-sum", **arguments)
