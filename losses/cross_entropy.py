"""Weighted two-class cross entropy."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amsdf.contracts import BONAFIDE, SPOOF, Loss, check_labels
from amsdf.published_names import PublishedNames
from losses._class_weights import checked_weights, total_weight, weighted_cross_entropy
from losses._cosine import at_least_float32, inner_products


class CrossEntropyLoss(Loss):
    """Cross entropy of a linear layer with two outputs; the score is the log-likelihood ratio.

    The default weights are those of AASIST, SSL_Anti-spoofing and AMSDF, and as there the sum of
    the terms is divided by the sum of the weights in the batch.

    Args:
        embedding_dim: Width E of the embeddings.
        weights: Class weights (spoof, bona fide); none: both 1.
    """

    def __init__(
        self, embedding_dim: int, weights: tuple[float, float] | None = (0.1, 0.9)
    ) -> None:
        super().__init__()
        self.weights = checked_weights(weights)
        self.linear = nn.Linear(embedding_dim, 2)

    def logits(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B, 2), column 1 = bona fide."""
        return inner_products(embeddings, self.linear.weight) + at_least_float32(self.linear.bias)

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        return weighted_cross_entropy(self.logits(embeddings), labels, self.weights)

    def weight_of(self, labels: Tensor) -> float:
        """Labels (B,) -> the sum of their weights."""
        return total_weight(labels, self.weights)

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), log P(bona fide) - log P(spoof)."""
        # The difference of the logits, not a soft-max: that rounds to exactly 1 for sure clips and
        # so ties them.
        weight = self.linear.weight[BONAFIDE] - self.linear.weight[SPOOF]
        bias = self.linear.bias[BONAFIDE] - self.linear.bias[SPOOF]
        return inner_products(embeddings, weight[None]).squeeze(1) + at_least_float32(bias)

    def published_score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), the bona fide logit alone: AASIST, SSL_Anti-spoofing and AMSDF."""
        return self.logits(embeddings)[:, BONAFIDE]

    def swap_classes(self) -> None:
        """The rows of the linear layer change places."""
        with torch.no_grad():
            for parameter in self.linear.parameters():
                parameter.copy_(parameter.flip(0))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """A linear layer, whatever it is called."""
        return PublishedNames({"": "linear"})

    @classmethod
    def from_published(
        cls, weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Theirs -> ours; a single output, the log-odds of class 1, becomes two of opposite sign.

        Halves, so that their difference is that output and each of them ranks clips as it does.
        """
        ours, others = super().from_published(weights)
        return {
            name: torch.cat([-tensor / 2, tensor / 2]) if tensor.shape[:1] == (1,) else tensor
            for name, tensor in ours.items()
        }, others
