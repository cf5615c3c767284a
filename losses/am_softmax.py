"""Soft-max losses over cosines with a margin on the true class."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from amsdf.contracts import BONAFIDE, SPOOF, Loss, check_labels
from losses._class_weights import checked_weights, total_weight, weighted_mean
from losses._cosine import cosine


class AdditiveMarginLoss(Loss):
    """Additive-margin soft-max of Wang, Cheng, Liu and Liu (IEEE SPL 25(7), 2018).

    Cross entropy of scale * (cosine - margin on the true class). The class vectors are at unit
    length, which two public versions for this task forget. The score is the difference of the two
    cosines: the ranking of a soft-max over them, without its compression.

    Args:
        embedding_dim: Width E of the embeddings.
        scale: Factor of the cosines; 20 with margin 0.9 is the setting of AIR-ASVspoof.
        margin: Taken from the cosine of the true class.
        weights: Class weights (spoof, bona fide), divided by their sum in the batch; none: both 1.
    """

    def __init__(
        self,
        embedding_dim: int,
        scale: float = 20.0,
        margin: float = 0.9,
        weights: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        self.weights = checked_weights(weights)
        self.classes = nn.Parameter(functional.normalize(torch.randn(2, embedding_dim), dim=1))

    def logits(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> cosines (B, 2), column 1 = bona fide."""
        return cosine(embeddings, self.classes)

    def margin_logits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cosines (B, 2) and labels (B,) -> scaled cosines (B, 2), the true class handicapped."""
        true = functional.one_hot(labels.long(), 2).bool()
        return self.scale * torch.where(true, self.handicapped(logits), logits)

    def handicapped(self, cosines: Tensor) -> Tensor:
        """What the true class counts instead of its cosine."""
        return cosines - self.margin

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        logits = self.margin_logits(self.logits(embeddings), labels)
        terms = functional.cross_entropy(logits, labels.long(), reduction="none")
        return weighted_mean(terms, labels, self.weights)

    def weight_of(self, labels: Tensor) -> float:
        """Labels (B,) -> the sum of their weights."""
        return total_weight(labels, self.weights)

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), cosine to bona fide minus cosine to spoof."""
        cosines = self.logits(embeddings)
        return cosines[:, BONAFIDE] - cosines[:, SPOOF]

    def centre_parameters(self) -> list[nn.Parameter]:
        """The two class vectors."""
        return [self.classes]


class AdditiveAngularMarginLoss(AdditiveMarginLoss):
    """Additive angular margin, ArcFace (Deng, Guo, Xue and Zafeiriou, CVPR 2019).

    The true class counts cos(angle + margin). Past pi, where that would rise again, it counts
    -2 - cos(angle + margin), which goes on falling without a jump.

    Args:
        embedding_dim: Width E of the embeddings.
        scale: Factor of the cosines.
        margin: Angle in radians, added on the true class.
        weights: Class weights (spoof, bona fide), divided by their sum in the batch; none: both 1.
    """

    def __init__(
        self,
        embedding_dim: int,
        scale: float = 30.0,
        margin: float = 0.2,
        weights: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(embedding_dim, scale, margin, weights)

    def handicapped(self, cosines: Tensor) -> Tensor:
        """The cosine of the angle widened by the margin."""
        # The floor keeps the root differentiable on a class direction.
        sines = (1 - cosines.square()).clamp(min=1e-12).sqrt()
        widened = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        return torch.where(cosines > -math.cos(self.margin), widened, -2 - widened)
