"""Higher is bona fide, whatever the sounds; by the ratio of both classes, never by one logit."""

import pytest
import torch
from golden_names import close
from test_conformance import LOSSES
from test_detector import LFCC, detector_of, loss_value
from torch import Tensor

from amsdf import Detector
from amsdf.metrics import eer
from amsdf.testing import waveforms

SCORING = [name for name in LOSSES if name != "bonafide-pairs"]


@pytest.mark.parametrize("bonafide", ["loud", "soft"])
@pytest.mark.parametrize("loss", SCORING)
def test_bonafide_scores_higher_whichever_sound_it_is(loss: str, bonafide: str) -> None:
    """Trap 'label map turns one-class loss round': for either map, 1 ends above 0.

    The same two kinds of sound, once the one labelled bona fide and once the other.
    """
    parts = {
        "views": {"audio": {"encoder": "logmel", "filters": 16}},
        "head": {"name": "pool-linear", "embedding_dim": 8},
        "loss": {"name": loss, **LOSSES[loss]},
    }
    detector = detector_of(parts).train()
    loud = torch.arange(12) % 2
    clips = waveforms(12, 4000) * torch.where(loud == 1, 1.0, 0.1)[:, None]
    labels = loud if bonafide == "loud" else 1 - loud
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        loss_value(detector, detector(clips), labels).backward()
        optimizer.step()
    with torch.no_grad():
        scores = detector.eval().score(clips).numpy()
    real = labels.numpy() == 1
    assert scores[real].mean() > scores[~real].mean()
    assert eer(scores[real], scores[~real]).rate < 0.2


def logits_detector() -> tuple[Detector, Tensor, Tensor]:
    """A cross-entropy detector, and a change of each clip that moves both logits alike."""
    parts = {
        "views": {"audio": LFCC},
        "head": {"name": "pool-linear", "embedding_dim": 2},
        "loss": "cross-entropy",
    }
    detector = detector_of(parts).double()
    weight = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)
    detector.loss.load_state_dict({"linear.weight": weight, "linear.bias": torch.zeros(2)})
    clips = waveforms(40, 4000).double()
    with torch.no_grad():
        embeddings = detector.embed(clips)
    common = torch.zeros(40, 2, dtype=torch.float64)  # column 1 adds to both logits
    common[:, 1] = 20 * torch.randn(40, generator=torch.Generator().manual_seed(0))
    return detector, embeddings, common


@torch.no_grad()
def test_what_both_logits_share_is_no_evidence() -> None:
    """Trap 'class logit ranked instead of LLR': EER and scores keep when both logits move."""
    detector, embeddings, common = logits_detector()
    labels = torch.arange(40) % 2 == 1
    embeddings[labels, 0] -= 0.5 * embeddings[:, 0].std()
    plain, moved = (detector.loss.score(given) for given in (embeddings, embeddings + common))
    close(moved, plain)
    rates = [eer(s[labels].numpy(), s[~labels].numpy()).rate for s in (plain, moved)]
    assert rates[0] == rates[1] and 0 < rates[0] < 0.5
    logits = detector.loss.logits(embeddings + common)
    ranked = eer(logits[labels, 1].numpy(), logits[~labels, 1].numpy()).rate
    assert ranked != rates[0], "the class logit alone is moved: this test can fail"


@torch.no_grad()
def test_confident_scores_keep_their_order() -> None:
    """Trap 'float32 softmax ties': logits moved by +14 leave every rank, so the EER, as it was."""
    detector, _, _ = logits_detector()
    detector = detector.float()
    ratio = torch.linspace(-40, 40, 400)  # saturated at both ends, for a soft-max
    for shift in (0.0, 14.0):
        embeddings = torch.stack([-ratio / 2, torch.full_like(ratio, shift)], dim=1)
        assert (detector.loss.score(embeddings).diff() > 0).all()
    probability = detector.loss.logits(embeddings).softmax(dim=1)[:, 1]
    assert len(probability.unique()) < 400, "the soft-max does tie"
