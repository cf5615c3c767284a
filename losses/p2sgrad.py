"""P2SGrad with mean squared error."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from amsdf.contracts import BONAFIDE, Loss, check_labels
from losses._cosine import cosine


class P2SGradLoss(Loss):
    """MSE for P2SGrad of Wang and Yamagishi (Interspeech 2021): cosines pulled to one-hot targets.

    It has no margin and no scale to choose. The score is the cosine to the bona fide vector.

    Args:
        embedding_dim: Width E of the embeddings.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.classes = nn.Parameter(functional.normalize(torch.randn(2, embedding_dim), dim=1))

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        cosines = cosine(embeddings, self.classes)
        # The gradient of a squared error grows with the error; that of a soft-max over cosines
        # depends on a scale, which somebody has to choose.
        targets = functional.one_hot(labels.long(), 2).to(cosines.dtype)
        return (cosines - targets).square().mean()

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), cosine to the bona fide vector."""
        return cosine(embeddings, self.classes)[:, BONAFIDE]

    def centre_parameters(self) -> list[nn.Parameter]:
        """The two class vectors."""
        return [self.classes]
