"""SAMO: several centres for bona fide speech."""

import torch
from torch import Tensor, nn

from amsdf.contracts import Loss, check_labels
from losses._cosine import cosine
from losses.oc_softmax import OneClassMargins


class SAMOLoss(Loss):
    """Multi-centre one-class loss after SAMO (Ding, Zhang and Duan, ICASSP 2023).

    As in the paper, spoof is pushed away from the nearest of all centres, and the score of a clip
    without enrolled speech is its cosine to the nearest one.

    The paper keeps one attractor for each training speaker and sets it every few epochs to the mean
    embedding of that speaker. Embeddings come here without their speakers, so a bona fide row is
    drawn to the centre nearest to it, and the centres learn by gradient. As in the paper they
    start at right angles to each other.

    Args:
        embedding_dim: Width E of the embeddings.
        num_centres: How many centres, at most E; the paper has the 20 speakers of its corpus.
        real_margin: Cosine to the nearest centre that bona fide should exceed.
        fake_margin: Cosine to the nearest centre that spoof should stay under.
        alpha: Steepness of both terms.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_centres: int = 20,
        real_margin: float = 0.7,
        fake_margin: float = 0.0,
        alpha: float = 20.0,
    ) -> None:
        super().__init__()
        if not 1 <= num_centres <= embedding_dim:
            raise ValueError(
                f"num_centres {num_centres} must be between 1 and the embedding width "
                f"{embedding_dim}: the centres start at right angles"
            )
        self.margins = OneClassMargins(real_margin, fake_margin, alpha)
        # Unit vectors at right angles: as far from each other as so many directions can be alike.
        self.centres = nn.Parameter(torch.eye(num_centres, embedding_dim))

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        # Each row moves the nearest centre alone, so different centres serve different voices.
        return self.margins(self.score(embeddings), labels).mean()

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), cosine to the nearest centre."""
        return cosine(embeddings, self.centres).amax(dim=1)

    def centre_parameters(self) -> list[nn.Parameter]:
        """The centres."""
        return [self.centres]
