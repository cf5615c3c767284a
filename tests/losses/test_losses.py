"""What every loss must do and must not do, and what is particular to some of them."""

import pytest
import torch
from golden_names import close

from amsdf import registry
from amsdf.contracts import Loss
from amsdf.testing import REPEATED, check_loss
from losses.am_softmax import AdditiveAngularMarginLoss
from losses.cross_entropy import CrossEntropyLoss
from losses.ebm import BonafidePairLoss, EOCSoftmaxLoss
from losses.oc_softmax import OCSoftmaxLoss
from losses.samo import SAMOLoss

DIM = 32
EBM = ({"name": "eoc-softmax"}, {"name": "bonafide-pairs"})


def build(name: str, dim: int = DIM, **arguments) -> Loss:
    """A registered loss with repeatable weights."""
    if name == "weighted-sum":
        arguments.setdefault("parts", EBM)
    torch.manual_seed(7)
    return registry.build("losses", name, dim, **arguments)


def batch(labels=(1, 0, 0, 1, 0, 0, 1, 0), dim: int = DIM) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(len(labels), dim, generator=generator), torch.tensor(labels)


def value_of(loss: Loss, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return loss(embeddings, labels, embeddings) if loss.wants_pairs else loss(embeddings, labels)


NAMES = registry.names("losses")
SCORING = [name for name in NAMES if name != "bonafide-pairs"]


@pytest.mark.parametrize(("name", "length"), [("oc-softmax", 1.37), ("eoc-softmax", 160**0.5)])
def test_length_of_a_fresh_centre(name, length):
    """That of AIR-ASVspoof is short; that of EBM and HM-Conformer has a 1 or -1 in each place."""
    centre = build(name, 160).centre.detach()
    assert float(centre.norm()) == pytest.approx(length, rel=0.1)


def test_an_unknown_start_of_the_centre_is_refused():
    with pytest.raises(ValueError, match="centre_start 'zeros' must be 'uniform' or 'signs'"):
        OCSoftmaxLoss(8, centre_start="zeros")


@pytest.mark.parametrize("name", SCORING)
def test_contract(name):
    check_loss(build(name), DIM)


@pytest.mark.parametrize("name", NAMES)
def test_swapped_labels_change_the_loss(name):
    """Trap: with labels the wrong way round a loss stays finite and ordinary."""
    embeddings, labels = batch()
    value, swapped = (value_of(build(name), embeddings, y) for y in (labels, 1 - labels))
    assert not torch.isclose(value, swapped)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 2, 1], "label 2 is neither"),
        ([0, -1, 1], "label -1 is neither"),
        ([0.0, 0.9, 1.0], "must be integers"),
        ([False, True, True], "labels are torch.bool; they must be integers"),
        ([[0], [1], [1]], "they must be"),
        ([0, 1], "they must be"),
    ],
)
def test_strange_labels_are_refused(name, labels, message):
    """Trap: smoothed, mixed or missing labels switch margins off in silence."""
    embeddings, _ = batch((0, 1, 1))
    with pytest.raises(ValueError, match=message):
        value_of(build(name), embeddings, torch.tensor(labels))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_is_refused(name):
    """Trap: its mean is NaN."""
    with pytest.raises(ValueError, match="the batch is empty; a loss needs at least one clip"):
        value_of(build(name), torch.zeros(0, DIM), torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int8, torch.uint8], ids=str)
def test_integers_of_any_width_are_labels(name, dtype):
    embeddings, labels = batch()
    narrow, wide = (value_of(build(name), embeddings, y) for y in (labels.to(dtype), labels))
    close(narrow, wide, REPEATED)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("label", [0, 1])
def test_a_batch_of_one_class_is_legal(name, label):
    loss = build(name)
    value_of(loss, *batch())
    points = batch((label, label, label))[0].requires_grad_()
    value = value_of(loss, points, torch.full((3,), label))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(points.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_degenerate_embeddings_stay_finite(name):
    """Zero rows, equal rows, and rows on and opposite to a class direction."""
    loss = build(name)
    embeddings, labels = batch()
    value_of(loss, embeddings, labels)
    tensors = [*loss.parameters(), *loss.buffers()]
    directions = [t for t in tensors if t.is_floating_point() and t.shape[-1:] == (DIM,)]
    centre = directions[0].detach().reshape(-1, DIM)[0] if directions else embeddings[0]
    points = torch.stack([0 * centre, centre, -centre, 3 * centre]).requires_grad_()
    value = value_of(loss, points, torch.tensor([1, 0, 1, 1]))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(points.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_embeddings_lose_nothing_more(name):
    """Under bf16 autocast the loss computes in float32: only the embeddings are rounded."""
    embeddings, labels = batch()
    rounded = embeddings.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = value_of(build(name), rounded, labels)
    assert value.dtype == torch.float32
    close(value, value_of(build(name), rounded.float(), labels), REPEATED)


@pytest.mark.parametrize("name", NAMES)
def test_no_global_random_state_is_touched(name):
    """Trap: one public AM-Softmax seeds the global generator in every forward pass."""
    loss = build(name)
    state = torch.get_rng_state()
    value_of(loss, *batch())
    if loss.has_score:
        loss.score(batch()[0])
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", SCORING)
def test_state_survives_a_fresh_object(name):
    """Trap: a centre that is neither parameter nor buffer is lost on save."""
    loss = build(name)
    embeddings, labels = batch()
    value_of(loss, embeddings, labels)
    torch.manual_seed(99)
    arguments = {"parts": EBM} if name == "weighted-sum" else {}
    fresh = registry.build("losses", name, DIM, **arguments)
    fresh.load_state_dict(loss.state_dict(), strict=True)
    close(fresh.eval().score(embeddings), loss.eval().score(embeddings), REPEATED)


@pytest.mark.parametrize("name", SCORING)
def test_scores_are_independent_of_batch_mates(name):
    loss = build(name)
    embeddings, labels = batch()
    value_of(loss, embeddings, labels)
    close(loss.score(embeddings[2:3]), loss.score(embeddings)[2:3])


def passing_on() -> Loss:
    """Cross entropy whose linear layer changes nothing: embeddings are the logits."""
    loss = CrossEntropyLoss(2)
    loss.load_state_dict({"linear.weight": torch.eye(2), "linear.bias": torch.zeros(2)})
    return loss


def test_score_is_the_log_likelihood_ratio():
    """Trap: a class logit ranked instead of the LLR moves with what both logits share."""
    loss = passing_on().double()
    logits, _ = batch((1, 0, 1, 0), dim=2)
    logits = logits.double()
    log = logits.log_softmax(dim=1)
    close(loss.score(logits), log[:, 1] - log[:, 0])
    close(loss.score(logits + torch.randn(4, 1)), loss.score(logits))


def test_confident_scores_do_not_tie():
    """Trap: a float32 soft-max saturates, and logits shifted by 14 collapse into ties."""
    logits = torch.stack([torch.linspace(-20, -40, 200), torch.linspace(20, 40, 200)], dim=1)
    loss = passing_on()
    for shift in (0, 14):
        assert (loss.score(logits + shift).diff() > 0).all()
    assert len(logits.softmax(dim=1)[:, 1].unique()) == 1


@pytest.mark.parametrize("weights", [(0.1,), (0, 1), (-1, 1), (1, 2, 3)])
def test_strange_class_weights_are_refused(weights):
    with pytest.raises(ValueError, match="two positive numbers, spoof first"):
        CrossEntropyLoss(DIM, weights)


def test_aam_target_falls_over_the_whole_half_circle():
    """Trap: past pi - margin the public version's target rises again."""
    angles = torch.linspace(0, torch.pi, 2000, dtype=torch.float64)
    targets = AdditiveAngularMarginLoss(2, margin=0.5).less_margin(angles.cos())
    assert (targets.diff() < 0).all()
    assert targets.diff().abs().max() < 0.01, "a jump"


def test_aam_gradient_is_finite_on_a_class_direction():
    """Trap: a square root without a floor gives NaN."""
    cosines = torch.tensor([1.0, -1.0, 1.0 - 1e-7], requires_grad=True)
    AdditiveAngularMarginLoss(2).less_margin(cosines).sum().backward()
    assert torch.isfinite(cosines.grad).all()


def test_am_softmax_ignores_the_length_of_class_vectors():
    """Trap: neither public version for this task normalises them."""
    embeddings, labels = batch()
    loss = build("am-softmax")
    value = loss(embeddings, labels)
    loss.classes.data *= 5
    close(loss(embeddings, labels), value)


def test_eoc_centre_step_without_bonafide_is_zero():
    loss = EOCSoftmaxLoss(DIM)
    value = loss.centre_loss(batch((0, 0))[0], torch.tensor([0, 0]))
    value.backward()
    assert value == 0 and not loss.centre.grad.any()


def test_eoc_batch_size_decides_nothing():
    """Trap: the same four rows fed twice gave 34.7 instead of 6.9."""
    embeddings, labels = batch((1, 0, 1, 0))
    loss = build("eoc-softmax")
    twice = loss(embeddings.repeat(2, 1), labels.repeat(2))
    close(loss(embeddings, labels), twice)


def test_bonafide_pairs_sees_bonafide_rows_only():
    """Trap: no bona fide row gave NaN."""
    loss, (embeddings, labels) = BonafidePairLoss(DIM), batch()
    value = loss(embeddings, labels, embeddings)
    changed = embeddings.clone()
    changed[labels == 0] = 5
    close(loss(changed, labels, changed), value, REPEATED)
    assert loss(embeddings, 0 * labels, embeddings) == 0


def test_bonafide_pairs_has_no_score():
    with pytest.raises(ValueError, match="no score of its own: combine it in weighted-sum"):
        BonafidePairLoss(DIM).score(batch()[0])


def test_bonafide_pairs_needs_pairs():
    embeddings, labels = batch()
    with pytest.raises(ValueError, match=r"needs a second crop of every clip, .* given: none"):
        BonafidePairLoss(DIM)(embeddings, labels)
    with pytest.raises(ValueError, match=r"given: shape \(2, 32\)"):
        BonafidePairLoss(DIM)(embeddings, labels, embeddings[:2])


def test_samo_scores_the_nearest_centre():
    loss = SAMOLoss(4, num_centres=2)
    scores = loss.score(torch.tensor([[2.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, 1.0, 0]]))
    close(scores, torch.tensor([1.0, 1.0, 0.0]))


def test_samo_with_one_centre_is_oc_softmax():
    embeddings, labels = batch()
    samo = SAMOLoss(DIM, num_centres=1, real_margin=0.9, fake_margin=0.2)
    single = OCSoftmaxLoss(DIM)
    single.centre.data.copy_(samo.centres)
    close(samo(embeddings, labels), single(embeddings, labels))


def test_samo_needs_room_for_its_centres():
    with pytest.raises(ValueError, match=r"num_centres 20 must be between 1 and .* 8"):
        SAMOLoss(8)
