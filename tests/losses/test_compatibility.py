"""The names, arguments and return values that public repositories document."""

import subprocess
import sys

import pytest
import torch
from golden_names import close, golden

from amsdf.testing import REPEATED
from losses import AMSoftmaxLoss, AOCloss, OCSoftmax

#: What the documents of the public repositories import, and how the second name can be had.
DOCUMENTED = """
from importlib import import_module
import losses
from AOC_loss import AOCloss
from OCSoftmax_loss import OCSoftmax
from AMSoftmax_loss import AMSoftmaxLoss as form1
from AMSoftmax_loss2 import AMSoftmaxLoss as form2
form3 = import_module("AMSoftmax_loss(2)").AMSoftmaxLoss
assert (AOCloss, OCSoftmax) == (losses.AOCloss, losses.OCSoftmax)
assert form1 is form2 is form3 is losses.AMSoftmaxLoss
"""


@pytest.fixture(scope="module")
def gold() -> dict[str, torch.Tensor]:
    return golden("losses.safetensors")


@pytest.fixture
def batch(gold) -> tuple[torch.Tensor, torch.Tensor]:
    return gold["common/x"], gold["common/is_bonafide"]


def test_aoc_loss(gold, batch):
    criterion = AOCloss(embedding_dim=32).double()
    loss = criterion(*batch)
    close(loss, gold["acs/first/loss"])
    criterion.update_centroid(batch[0][:2])
    assert criterion.count == 5


def test_documented_imports(tmp_path):
    """From any folder, where the project is installed: `pip install -e .` after a change."""
    command = [sys.executable, "-c", DOCUMENTED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_aoc_loss_reads_either_label_of_bona_fide(batch):
    """The documents of the two repositories contradict each other."""
    embeddings, labels = batch
    ones, zeros = AOCloss(32).double(), AOCloss(32, bonafide_label=0).double()
    close(zeros(embeddings, 1 - labels), ones(embeddings, labels), REPEATED)
    close(zeros.centroid, ones.centroid, REPEATED)
    assert not torch.equal(zeros(embeddings, labels), ones(embeddings, labels))
    with pytest.raises(ValueError, match="label 2 is neither"):
        zeros(embeddings, labels + 1)
    with pytest.raises(ValueError, match="bonafide_label 2 must be 1 or 0"):
        AOCloss(32, bonafide_label=2)


def test_oc_softmax(gold, batch):
    criterion = OCSoftmax(feat_dim=32, r_real=0.9, r_fake=0.5, alpha=20.0).double()
    criterion.centre.data.copy_(gold["ocsoftmax_air/center"])
    stored = "ocsoftmax_air/r09_05_a20"
    close(criterion(*batch), gold[f"{stored}/loss"])
    close(criterion.inference(batch[0]), gold[f"{stored}/inference_scores"])
    assert OCSoftmax(32).margins.fake_margin == 0.5


def test_am_softmax_embedding_form(gold, batch):
    """Trap: on class vectors of any length it is AM-Softmax, as neither public form was."""
    criterion = AMSoftmaxLoss(embedding_dim=32, no_classes=2, scale=30.0, margin=0.4).double()
    criterion.loss.classes.data.copy_(gold["amsoftmax_repo/weight_raw"])
    state = torch.get_rng_state()
    loss, margin_logits, logits = criterion(*batch)
    stored = "amsoftmax_repo/intended_normalised"
    for given, name in ((loss, "loss"), (margin_logits, "margin_logits"), (logits, "logits")):
        close(given, gold[f"{stored}/{name}"])
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("form", ["v1", "v2"])
def test_am_softmax_on_unit_class_vectors_is_that_of_the_repository(gold, batch, form):
    criterion = AMSoftmaxLoss(in_features=32, out_features=2, s=30.0, m=0.4).double()
    criterion.loss.classes.data.copy_(gold["amsoftmax_repo/weight_unit"])
    points = batch[0].clone().requires_grad_()
    loss = criterion(points, batch[1])
    loss.backward()
    close(loss.detach(), gold[f"amsoftmax_repo/{form}_unit/loss"])
    close(points.grad, gold[f"amsoftmax_repo/{form}_unit/grad_x"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either embedding_dim or in_features"),
        ({"embedding_dim": 4, "in_features": 4}, "either embedding_dim or in_features"),
        ({"embedding_dim": 4, "no_classes": 3}, "two classes"),
        ({"in_features": 4, "out_features": 5}, "two classes"),
    ],
)
def test_am_softmax_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        AMSoftmaxLoss(**arguments)
