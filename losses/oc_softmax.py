"""OC-Softmax: one centre for bona fide speech and two margins."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from amsdf.contracts import BONAFIDE, Loss, check_labels
from amsdf.published_names import PublishedNames
from losses._class_weights import checked_weights, row_weights
from losses._cosine import cosine


class OneClassMargins(nn.Module):
    """Terms softplus(alpha * shortfall): bona fide above one margin, spoof below the other.

    The classes are not treated alike: bona fide speech is one kind of speech, spoofs are many kinds
    and some are not known yet. So bona fide must be close to the centre, and spoof anywhere but
    there.
    """

    def __init__(self, real_margin: float, fake_margin: float, alpha: float) -> None:
        super().__init__()
        self.real_margin, self.fake_margin, self.alpha = real_margin, fake_margin, alpha

    def forward(self, similarity: Tensor, labels: Tensor) -> Tensor:
        """Similarity to the bona fide class (B,) and labels (B,) -> terms (B,)."""
        # Positive on the wrong side of the margin. `where` gives each row one of the two margins;
        # with a mask for each class, a row that fits neither would have none.
        shortfall = torch.where(
            labels == BONAFIDE, self.real_margin - similarity, similarity - self.fake_margin
        )
        # log(1 + exp(x)), computed without overflow. Unlike a hinge it still has a gradient for
        # rows that are just on the right side.
        return functional.softplus(self.alpha * shortfall)


class OCSoftmaxLoss(Loss):
    """OC-Softmax of Zhang, Jiang and Duan (IEEE Signal Processing Letters 28, 2021).

    The score is the cosine to the centre. HM-Conformer (Shin et al., ICASSP 2024) weights the terms
    with (0.2, 1.8) and scores with one minus the cosine, which is high for spoof; here it is not.

    Args:
        embedding_dim: Width E of the embeddings.
        real_margin: Cosine that bona fide should exceed.
        fake_margin: Cosine that spoof should stay under.
        alpha: Steepness of both terms.
        weights: Class weights (spoof, bona fide) of the terms, whose sum is divided by B; none: 1.
        centre_start: `uniform`: He's uniform numbers, a centre of length 1.4, as in AIR-ASVspoof;
            `signs`: their signs, of length sqrt(E), as in the code of HM-Conformer and EBM.
    """

    def __init__(
        self,
        embedding_dim: int,
        real_margin: float = 0.9,
        fake_margin: float = 0.2,
        alpha: float = 20.0,
        weights: tuple[float, float] | None = None,
        *,
        centre_start: Literal["uniform", "signs"] = "uniform",
    ) -> None:
        super().__init__()
        if centre_start not in ("uniform", "signs"):
            raise ValueError(f"centre_start {centre_start!r} must be 'uniform' or 'signs'")
        self.weights = checked_weights(weights)
        self.margins = OneClassMargins(real_margin, fake_margin, alpha)
        start = nn.init.kaiming_uniform_(torch.empty(1, embedding_dim), a=0.25)
        # Only the direction of the centre counts. But each step of Adam has the size of the rate,
        # so the longer a centre is, the less it turns.
        self.centre = nn.Parameter(start.sign() if centre_start == "signs" else start)

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        terms = self.margins(self.score(embeddings), labels)
        # Divided by B, as in HM-Conformer and EBM, and not by the sum of the weights as a cross
        # entropy is: large weights make large steps.
        return (row_weights(labels, self.weights, terms.dtype) * terms).mean()

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), cosine to the centre."""
        return cosine(embeddings, self.centre).squeeze(1)

    def centre_parameters(self) -> list[nn.Parameter]:
        """The centre."""
        return [self.centre]

    def swap_classes(self) -> None:
        """The centre of the other class is opposite."""
        with torch.no_grad():
            self.centre.neg_()

    @classmethod
    def published_names(cls) -> PublishedNames:
        """The only weight, whatever it is called."""
        return PublishedNames({"": "centre"})
