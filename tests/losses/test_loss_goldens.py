"""Losses against stored values and gradients of public reference implementations, in float64."""

import pytest
import torch
from golden_names import close, golden
from torch import nn
from torch.nn import functional

from amsdf.contracts import Loss
from losses.acs import AdaptiveCentroidShiftLoss
from losses.am_softmax import AdditiveAngularMarginLoss, AdditiveMarginLoss
from losses.cross_entropy import CrossEntropyLoss
from losses.ebm import BonafidePairLoss, EOCSoftmaxLoss
from losses.oc_softmax import OCSoftmaxLoss
from losses.p2sgrad import P2SGradLoss
from losses.weighted_sum import WeightedSumLoss

#: All in float64; torch's softplus is the identity above 20, which is 2e-9 off.
TOLERANCE = 1e-7
DIM = 32


@pytest.fixture(scope="module")
def gold() -> dict[str, torch.Tensor]:
    return golden("losses.safetensors")


def same(given: torch.Tensor, expected: torch.Tensor) -> None:
    close(given, expected.reshape(given.shape), TOLERANCE)


def backward(loss: Loss, embeddings: torch.Tensor, labels: torch.Tensor):
    """The value and the gradient of the embeddings."""
    points = embeddings.clone().requires_grad_()
    value = loss(points, labels)
    value.backward()
    return value.detach(), points.grad


def with_values(loss: Loss, **parameters: torch.Tensor) -> Loss:
    """`loss` in float64 with the given parameters."""
    loss = loss.double()
    for name, values in parameters.items():
        loss.get_parameter(name).data.copy_(values)
    return loss


@pytest.mark.any_processor
@pytest.mark.parametrize(("case", "fake_margin"), [("r09_02_a20", 0.2), ("r09_05_a20", 0.5)])
def test_oc_softmax_golden(gold, case, fake_margin):
    loss = with_values(
        OCSoftmaxLoss(DIM, fake_margin=fake_margin), centre=gold["ocsoftmax_air/center"]
    )
    x, labels = gold["common/x"], gold["common/is_bonafide"]
    value, gradient = backward(loss, x, labels)
    same(value, gold[f"ocsoftmax_air/{case}/loss"])
    same(gradient, gold[f"ocsoftmax_air/{case}/grad_x"])
    same(loss.centre.grad, gold[f"ocsoftmax_air/{case}/grad_center"])
    same(loss.score(x), gold[f"ocsoftmax_air/{case}/scores"])
    close(loss.float()(x.float(), labels), gold[f"ocsoftmax_air/{case}/loss"])  # float32


def test_oc_softmax_golden_one_class_and_zero_row(gold):
    loss = with_values(OCSoftmaxLoss(DIM), centre=gold["ocsoftmax_air/center"])
    x, labels = gold["common/x"], gold["common/is_bonafide"]
    bonafide = labels == 1
    for rows, name in ((bonafide, "only_bonafide"), (~bonafide, "only_spoof")):
        same(loss(x[rows], labels[rows]), gold[f"ocsoftmax_air/{name}_loss_r09_02_a20"])
    zeroed = x.clone()
    zeroed[0] = 0
    same(loss(zeroed, labels), gold["ocsoftmax_air/zero_row0_loss_r09_02_a20"])
    same(loss.score(zeroed), gold["ocsoftmax_air/zero_row0_scores"])


@pytest.mark.parametrize(("case", "weights"), [("plain", None), ("clsweight_18_02", (0.2, 1.8))])
def test_hm_conformer_golden(gold, case, weights):
    """Its score, one minus the cosine, is high for spoof: ours is the cosine."""
    loss = with_values(OCSoftmaxLoss(DIM, weights=weights), centre=gold["ocsoftmax_hm/weight"])
    value, gradient = backward(loss, gold["common/x"], gold["common/is_bonafide"])
    same(value, gold[f"ocsoftmax_hm/{case}/loss"])
    same(gradient, gold[f"ocsoftmax_hm/{case}/grad_x"])
    same(loss.centre.grad, gold[f"ocsoftmax_hm/{case}/grad_weight"])
    same(1 - loss.score(gold["common/x"]), gold["ocsoftmax_hm/scores_one_minus_cos"])


@pytest.mark.parametrize(("case", "scale", "margin"), [("s20_m09", 20, 0.9), ("s30_m04", 30, 0.4)])
def test_am_softmax_golden_air(gold, case, scale, margin):
    """There class 0 is bona fide, so rows and columns are turned round."""
    x, labels = gold["common/x"], gold["common/is_bonafide"]
    classes = gold["amsoftmax_air/centers"].flip(0)
    loss = with_values(AdditiveMarginLoss(DIM, scale, margin), classes=classes)
    stored = {k.rpartition("/")[2]: v for k, v in gold.items() if f"amsoftmax_air/{case}/" in k}
    value, gradient = backward(loss, x, labels)
    same(value, stored["loss"])
    same(gradient, stored["grad_x"])
    same(loss.classes.grad, stored["grad_centers"].flip(0))
    same(loss.logits(x), stored["logits"].flip(1))
    same(loss.margin_logits(loss.logits(x), labels), stored["margin_logits"].flip(1))
    same(loss.score(x).sigmoid(), stored["score_bonafide"])


def test_am_softmax_golden_normalised(gold):
    loss = with_values(AdditiveMarginLoss(DIM, 30, 0.4), classes=gold["amsoftmax_repo/weight_raw"])
    x, labels = gold["common/x"], gold["amsoftmax_repo/labels"]
    value, gradient = backward(loss, x, labels)
    same(value, gold["amsoftmax_repo/intended_normalised/loss"])
    same(gradient, gold["amsoftmax_repo/intended_normalised/grad_x"])
    same(loss.classes.grad, gold["amsoftmax_repo/intended_normalised/grad_weight"])
    logits = loss.logits(x)
    same(logits, gold["amsoftmax_repo/intended_normalised/logits"])
    same(
        loss.margin_logits(logits, labels), gold["amsoftmax_repo/intended_normalised/margin_logits"]
    )


AAM = [("m02_s30", 30, 0.2, None), ("m05_s15_cw", 15, 0.5, (1.0, 9.0))]


@pytest.mark.parametrize(("case", "scale", "margin", "weights"), AAM)
def test_aam_softmax_golden(gold, case, scale, margin, weights):
    loss = AdditiveAngularMarginLoss(DIM, scale, margin, weights)
    loss = with_values(loss, classes=gold["aam/fc"].flip(0))
    value, gradient = backward(loss, gold["common/x"], gold["common/is_bonafide"])
    same(value, gold[f"aam/{case}/loss"])
    same(gradient, gold[f"aam/{case}/grad_x"])
    same(loss.classes.grad, gold[f"aam/{case}/grad_fc"].flip(0))
    same(loss.logits(gold["common/x"]), gold["aam/cosine"].flip(1))


def test_p2sgrad_golden(gold):
    loss = with_values(P2SGradLoss(DIM), classes=gold["p2sgrad/weight"].flip(0))
    value, gradient = backward(loss, gold["common/x"], gold["common/is_bonafide"])
    same(value, gold["p2sgrad/loss"])
    same(gradient, gold["p2sgrad/grad_x"])
    same(loss.classes.grad, gold["p2sgrad/grad_weight"].flip(0))
    same(loss.score(gold["common/x"]), gold["p2sgrad/scores"][:, 0])


def passing_on(weights=None) -> Loss:
    """Cross entropy whose linear layer changes nothing: embeddings are the logits."""
    return with_values(
        CrossEntropyLoss(2, weights), **{"linear.weight": torch.eye(2), "linear.bias": 0.0}
    )


@pytest.mark.parametrize(("weights", "name"), [((0.1, 0.9), "loss"), (None, "loss_unweighted")])
def test_weighted_cross_entropy_golden(gold, weights, name):
    value, gradient = backward(passing_on(weights), gold["wce/logits"], gold["wce/labels"])
    same(value, gold[f"wce/{name}"])
    if weights:
        same(gradient, gold["wce/grad_logits"])


def test_hm_cross_entropy_golden(gold):
    x = gold["common/x"].requires_grad_()
    logits = functional.linear(x, gold["cce_hm/weight"], gold["cce_hm/bias"])
    logits = functional.batch_norm(logits, None, None, training=True)
    value = passing_on()(logits.flip(1), gold["common/is_bonafide"])
    same(value, gold["cce_hm/loss_train_mode_bn"])
    same(torch.autograd.grad(value, x)[0], gold["cce_hm/grad_x"])
    x.requires_grad_(False)


def test_acs_golden_first_batch(gold):
    loss = AdaptiveCentroidShiftLoss(DIM).double()
    value, gradient = backward(loss, gold["common/x"], gold["common/is_bonafide"])
    same(value, gold["acs/first/loss"])
    same(gradient, gold["acs/first/grad_x"])
    same(loss.centroid, gold["acs/first/centroid"])
    same(loss.score(gold["common/x"]), gold["acs/first/scores"])
    assert loss.count == gold["acs/first/n"]


def test_acs_golden_sequence_with_a_batch_of_spoof_only(gold):
    """The reference raises on the third batch; here the bona fide term is left out."""
    loss = AdaptiveCentroidShiftLoss(DIM).double()
    for step, (x, labels) in enumerate(
        zip(gold["acs/seq/x"], gold["acs/seq/is_bonafide"], strict=True)
    ):
        value, gradient = backward(loss, x, labels)
        if gold["acs/seq/raised"][step]:
            same(value, gold["acs/seq/alt_batch2_spoof_term_only"])
        else:
            same(value, gold["acs/seq/loss"][step])
            same(gradient, gold["acs/seq/grad_x"][step])
        same(loss.centroid, gold["acs/seq/centroid_after"][step])
        same(loss.score(x), gold["acs/seq/scores_after_update"][step])
        assert loss.count == gold["acs/seq/n_after"][step]
    same(loss.centroid, gold["acs/seq/mean_of_all_bonafide"])


def test_acs_golden_batch_of_bonafide_only(gold):
    loss = AdaptiveCentroidShiftLoss(DIM).double()
    loss.centroid.copy_(gold["acs/nospoof/centroid_before"])
    loss.count += gold["acs/nospoof/n_before_after"][0]
    loss.initialised.fill_(True)
    x = gold["acs/nospoof/x"]
    value = loss(x, torch.ones(3, dtype=torch.long))
    same(loss.centroid, gold["acs/nospoof/centroid_after"])
    assert loss.count == gold["acs/nospoof/n_before_after"][1]
    same(value, 1 - functional.cosine_similarity(x, loss.centroid[None]).mean())


def test_acs_options_golden(gold):
    """`normalise_rows` averages unit vectors; `rebuild` gives the plain mean again."""
    batches = list(zip(gold["acs/seq/x"], gold["acs/seq/is_bonafide"], strict=True))
    loss = AdaptiveCentroidShiftLoss(DIM, normalise_rows=True).double()
    loss.rebuild(batches)
    same(loss.centroid, gold["acs/seq/alt_mean_of_normalised_bonafide"])
    loss = AdaptiveCentroidShiftLoss(DIM, momentum=0.5).double()
    loss.rebuild(batches)
    same(loss.centroid, gold["acs/seq/mean_of_all_bonafide"])
    assert loss.count == 13


def test_eoc_softmax_golden(gold):
    """Trap of the reference: batches of four or fewer lost their weights; here a switch."""
    x, labels = gold["common/x"], gold["eocs/labels"]
    weights = tuple(gold["eocs/class_weight_spoof_bonafide"].tolist())
    for rows, name, given in ((8, "full", weights), (4, "batch4", None)):
        loss = with_values(EOCSoftmaxLoss(DIM, weights=given), centre=gold["eocs/weight"])
        value, gradient = backward(loss, x[:rows], labels[:rows])
        same(value, gold[f"eocs/{name}/loss"])
        same(gradient, gold[f"eocs/{name}/grad_x"])
        same(loss.centre.grad, gold[f"eocs/{name}/grad_weight"])
    same(loss(x, labels), gold["eocs/unweighted/loss"])
    same(loss.score(x), gold["eocs/eval/scores"])


@pytest.mark.parametrize("alpha", [20, 30])
def test_bonafide_pairs_golden(gold, alpha):
    x, y = gold["bpl/x"].clone().requires_grad_(), gold["bpl/y"].clone().requires_grad_()
    loss, labels = BonafidePairLoss(DIM, alpha=alpha), torch.ones(4, dtype=torch.long)
    value = loss(x, labels, y)
    value.backward()
    same(value.detach(), gold[f"bpl/alpha{alpha}/loss"])
    same(x.grad, gold[f"bpl/alpha{alpha}/grad_x"])
    same(y.grad, gold[f"bpl/alpha{alpha}/grad_y"])
    same(
        BonafidePairLoss(DIM)(x[:1].detach(), labels[:1], x[:1].detach()),
        gold["bpl/floor_all_equal_alpha30"],
    )


def alternate(network, loss, optimizer, step):
    """One batch of EBM's alternation: all but the centre, then the centre alone."""
    x, short, labels = step
    value = loss(network(x), labels, network(short))
    value.backward()
    for centre in loss.centre_parameters():
        centre.grad = None  # None and not zero: Adam would go on moving it
    optimizer.step()
    optimizer.zero_grad()
    yield value
    value = loss.centre_loss(network(x), labels)
    (centre,) = loss.centre_parameters()
    (centre.grad,) = torch.autograd.grad(value, centre)
    optimizer.step()
    optimizer.zero_grad()
    yield value


@pytest.mark.parametrize(("case", "weighted"), [("A", False), ("B", True)])
def test_alternating_centre_step_golden(gold, case, weighted):
    stored = {k.removeprefix(f"ebm_alt/{case}/"): v for k, v in gold.items()}
    eoc = {"name": "eoc-softmax", "weighted_centre_step": weighted}
    parts = [eoc, {"name": "bonafide-pairs"}]
    loss = WeightedSumLoss(6, parts=parts)
    assert loss.wants_pairs and loss.wants_centre_step
    loss = with_values(loss, **{"parts.0.centre": stored["init_center"]})
    network = nn.Linear(12, 6).double()
    network.weight.data.copy_(stored["init_linear_weight"])
    network.bias.data.copy_(stored["init_linear_bias"])
    everything = [*network.parameters(), *loss.parameters()]
    optimizer = torch.optim.Adam(everything, lr=0.02, weight_decay=1e-4)
    at = 0
    for x, short in zip(stored["x"], stored["x_short"], strict=True):
        for value in alternate(network, loss, optimizer, (x, short, stored["labels"])):
            same(value.detach(), stored["loss_after_each"][at])
            same(network.weight.detach(), stored["linear_weight_after_each"][at])
            same(network.bias.detach(), stored["linear_bias_after_each"][at])
            same(loss.centre_parameters()[0].detach(), stored["center_after_each"][at])
            at += 1
    centre = optimizer.state[loss.centre_parameters()[0]]
    assert centre["step"] == stored["adam_center_step"]
    assert optimizer.state[network.weight]["step"] == stored["adam_linear_step"]
    same(centre["exp_avg"], stored["adam_center_exp_avg"])
    same(centre["exp_avg_sq"], stored["adam_center_exp_avg_sq"])
    assert at == 4
