"""Soft-max losses over cosines with a margin on the true class."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from amsdf.contracts import BONAFIDE, SPOOF, Loss, check_labels
from losses._class_weights import checked_weights, total_weight, weighted_cross_entropy
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
        # Only directions are compared: a longer class vector would win without being closer.
        return cosine(embeddings, self.classes)

    def margin_logits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cosines (B, 2) and labels (B,) -> scaled cosines (B, 2), the margin on the true class."""
        # Taken from the true class alone: an embedding must be closer to it than to the other class
        # by that much before the loss is small.
        true = functional.one_hot(labels.long(), 2).bool()
        # Cosines differ by 2 at most, so that without a scale no soft-max of them is near 0 or 1.
        return self.scale * torch.where(true, self.less_margin(logits), logits)

    def less_margin(self, cosines: Tensor) -> Tensor:
        """What counts for the true class instead of its cosine."""
        return cosines - self.margin

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        logits = self.margin_logits(self.logits(embeddings), labels)
        return weighted_cross_entropy(logits, labels, self.weights)

    def weight_of(self, labels: Tensor) -> float:
        """Labels (B,) -> the sum of their weights."""
        return total_weight(labels, self.weights)

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), cosine to bona fide minus cosine to spoof."""
        cosines = self.logits(embeddings)
        return cosines[:, BONAFIDE] - cosines[:, SPOOF]

    def swap_classes(self) -> None:
        """The two class vectors change places."""
        with torch.no_grad():
            self.classes.copy_(self.classes.flip(0))

    def centre_parameters(self) -> list[nn.Parameter]:
        """The two class vectors."""
        return [self.classes]


class AdditiveAngularMarginLoss(AdditiveMarginLoss):
    """Additive angular margin, ArcFace (Deng, Guo, Xue and Zafeiriou, CVPR 2019).

    For the true class cos(angle + margin) counts, and past pi, where that would rise again,
    -2 - cos(angle + margin).

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

    def less_margin(self, cosines: Tensor) -> Tensor:
        """The cosine of the angle widened by the margin."""
        # The floor keeps the root differentiable on a class direction.
        sines = (1 - cosines.square()).clamp(min=1e-12).sqrt()
        widened = cosines * math.cos(self.margin) - sines * math.sin(self.margin)

        # Past pi the cosine of the wider angle rises again. The mirrored curve goes on falling;
        # the two meet where both are -1.
        return torch.where(cosines > -math.cos(self.margin), widened, -2 - widened)
