"""`amsdf.testing` itself: each fault that plugin authors make is found, and called by its name."""

from collections.abc import Callable

import pytest
import torch
from golden_names import close
from torch import Tensor, nn

from amsdf import Encoder, Head, Loss, ViewShape
from amsdf.contracts import check_labels
from amsdf.testing import check_encoder, check_head, check_loss, difference
from losses.oc_softmax import OCSoftmaxLoss

VIEWS = {"audio": ViewShape(6), "text": ViewShape(4, layers=3)}
SAMPLES = 8000


class Sound(Encoder):
    """A right encoder; `fault` changes its nodes."""

    def __init__(self, fault: Callable[[Tensor], Tensor] = lambda nodes: nodes, dim: int = 6):
        super().__init__()
        self.dim = dim
        self.linear = nn.Linear(100, 6)
        self.fault = fault

    def forward(self, waveform: Tensor) -> Tensor:
        frames = waveform[:, : waveform.shape[1] // 100 * 100].unflatten(1, (-1, 100))
        return self.fault(self.linear(frames))


class Padded(Sound):
    """Takes lengths and does not look at them."""

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        nodes = super().forward(waveform)
        return nodes - nodes.mean(1, keepdim=True)


class Remembering(Sound):
    """State that is neither parameter nor buffer is lost on save."""

    def forward(self, waveform: Tensor) -> Tensor:
        if not hasattr(self, "first"):
            self.first = self.linear.weight.detach().sum()
        return super().forward(waveform) + self.linear.weight.sum() - self.first

    def __deepcopy__(self, memo: dict) -> "Remembering":
        fresh = Remembering()
        fresh.first = torch.tensor(1e3)
        return fresh


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (nn.Linear(2, 2), "Linear is no amsdf.Encoder"),
        (Sound(dim=7), "declared dim: 7"),
        (Sound(lambda nodes: nodes.mean(1)), r"must be \(B, N, D\)"),
        (Sound(lambda nodes: nodes + torch.rand(1)), "two passes in evaluation mode differ"),
        (Sound(lambda nodes: nodes - nodes.mean(0)), "a clip alone differs from the clip in a"),
        (Sound(lambda nodes: nodes.detach().requires_grad_()), "no gradient"),
        (Sound(lambda nodes: nodes / (nodes.shape[1] - 16)), "not all finite"),
        (Sound(lambda nodes: nodes[:, 20:]), "no node for a clip"),
        (Sound(lambda nodes: nodes / (nodes.dtype == torch.float32)), "half precision"),
        (Padded(), "a padded clip differs from the clip alone"),
        (Remembering(), "a reloaded state gives other numbers"),
    ],
)
def test_faulty_encoders_are_found(encoder: Encoder, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_encoder(encoder, SAMPLES)


def test_a_stack_must_have_its_layers() -> None:
    encoder = Sound(lambda nodes: nodes[:, None].expand(-1, 2, -1, -1))
    encoder.layers = 3
    with pytest.raises(AssertionError, match="declared layers: 3"):
        check_encoder(encoder, SAMPLES)
    encoder.layers = 2
    check_encoder(encoder, SAMPLES)


class Fusion(Head):
    """A right head; `forget` leaves a view out."""

    def __init__(self, forget: str = "", embedding_dim: int = 4):
        super().__init__()
        self.forget, self.embedding_dim = forget, embedding_dim
        self.linear = nn.Linear(10, 4)

    def forward(self, views: dict[str, Tensor]) -> Tensor:
        kept = {name: view * (name != self.forget) for name, view in views.items()}
        return self.linear(torch.cat([kept["audio"].mean(1), kept["text"].mean((1, 2))], dim=1))


class Unmasked(Fusion):
    """Takes masks and does not look at them."""

    def forward(self, views: dict[str, Tensor], masks: dict | None = None) -> Tensor:
        return super().forward(views)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (nn.Linear(2, 2), "Linear is no amsdf.Head"),
        (Fusion(embedding_dim=5), r"gave \(3, 4\), not \(3, 5\)"),
        (Fusion(forget="text"), "no gradient to view 'text'"),
        (Unmasked(), "a masked clip differs from the clip alone"),
    ],
)
def test_faulty_heads_are_found(head: Head, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_head(head, VIEWS)


class Inverted(OCSoftmaxLoss):
    """Trap 'label map turns one-class loss round'."""

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        check_labels(embeddings, labels)
        return super().forward(embeddings, 1 - labels)


class Careless(OCSoftmaxLoss):
    """Accepts any label."""

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        return embeddings.square().mean() + self.centre.sum()


class Seeding(OCSoftmaxLoss):
    """Seeds torch for everybody."""

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        torch.manual_seed(0)
        return super().forward(embeddings, labels)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.Linear(2, 2), "Linear is no amsdf.Loss"),
        (Inverted(8), "spoof scores higher"),
        (Careless(8), "accepted labels torch.float32"),
        (Seeding(8), "touched the global random state"),
    ],
)
def test_faulty_losses_are_found(loss: Loss, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_loss(loss, 8)


def test_differences_are_shares_of_the_largest_value() -> None:
    """Where nothing but zeros is expected, the difference itself."""
    expected = torch.tensor([-87.0, 0.0])
    assert difference(expected + 0.001, expected) == pytest.approx(0.001 / 87, rel=1e-2)
    assert difference(torch.tensor([0.0, 0.25]), torch.zeros(2)) == 0.25
    close(expected + 0.0001, expected)
    for wrong in (expected + 0.01, expected[:1], torch.tensor([-87.0, torch.nan])):
        with pytest.raises(AssertionError):
            close(wrong, expected)


def test_rounding_between_two_passes_is_no_fault() -> None:
    """A processor does not promise equal bits."""
    check_encoder(Sound(lambda nodes: nodes + 1e-8 * torch.rand(1)), SAMPLES)


def test_right_ones_pass() -> None:
    check_encoder(Sound(), SAMPLES)
    check_head(Fusion(), VIEWS)
    check_loss(OCSoftmaxLoss(8), 8)
