"""The two losses of EBM: a balanced OC-Softmax and a pull between bona fide crops.

Kim et al., "Enhancing audio deepfake detection by improving representation similarity of bonafide
speech" (Interspeech 2025).
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from amsdf.contracts import BONAFIDE, Loss, check_labels
from losses._cosine import cosine
from losses.oc_softmax import OCSoftmaxLoss


class EOCSoftmaxLoss(OCSoftmaxLoss):
    """OC-Softmax with classes balanced for one bona fide in ten, and a step for the centre alone.

    The published code drops the weights in batches of four rows or fewer, so that the centre step
    on its four bona fide rows is unweighted by accident. Here that is the switch
    `weighted_centre_step`, and the size of a batch decides nothing.

    Args:
        embedding_dim: Width E of the embeddings.
        real_margin: Cosine that bona fide should exceed.
        fake_margin: Cosine that spoof should stay under.
        alpha: Steepness of both terms.
        weights: Class weights (spoof, bona fide) of the terms, whose sum is divided by B; none: 1.
        centre_start: `signs`: +1 or -1 in each place, of length sqrt(E), as in the published code;
            `uniform`: He's uniform numbers, of length 1.4.
        weighted_centre_step: Keep the bona fide weight in the centre step.
    """

    wants_centre_step: bool = True

    def __init__(
        self,
        embedding_dim: int,
        real_margin: float = 0.9,
        fake_margin: float = 0.2,
        alpha: float = 20.0,
        weights: tuple[float, float] | None = (1 / 1.8, 5.0),
        *,
        centre_start: Literal["uniform", "signs"] = "signs",
        weighted_centre_step: bool = False,
    ) -> None:
        super().__init__(
            embedding_dim, real_margin, fake_margin, alpha, weights, centre_start=centre_start
        )
        self.weighted_centre_step = weighted_centre_step

    def centre_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The terms of the bona fide rows of (B, E) -> scalar; 0 without such rows."""
        check_labels(embeddings, labels)
        bonafide = labels == BONAFIDE
        if not bonafide.any():
            return self.score(embeddings).sum() * 0

        # Bona fide rows alone decide where the centre is: later spoofs are not those of training.
        terms = self.margins(self.score(embeddings[bonafide]), labels[bonafide])
        return terms.mean() * (self.weights[BONAFIDE] if self.weighted_centre_step else 1.0)

    def centre_weight_of(self, labels: Tensor) -> float:
        """Labels (B,) -> how many are bona fide."""
        return float((labels == BONAFIDE).sum())


class BonafidePairLoss(Loss):
    """Pulls each bona fide crop to the second crops of all bona fide clips of the batch.

    Mean over all pairs of softplus(alpha * (1 - cosine)) - margin. Its smallest value is
    ln 2 - margin; the margin has no gradient and changes the value alone. The loss has no score: it
    is a part of `weighted-sum`.

    Args:
        embedding_dim: Width E of the embeddings; unused, the loss has no parameters.
        alpha: Steepness.
        margin: Constant taken from each pair's term.
    """

    wants_pairs: bool = True
    has_score: bool = False

    def __init__(self, embedding_dim: int, alpha: float = 30.0, margin: float = 0.3) -> None:
        super().__init__()
        self.alpha, self.margin = alpha, margin

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,), second crops (B, E) -> scalar; 0 without bona fide rows."""
        check_labels(embeddings, labels)
        if pairs is None or pairs.shape != embeddings.shape:
            given = "none" if pairs is None else f"shape {tuple(pairs.shape)}"
            raise ValueError(
                f"bonafide-pairs needs a second crop of every clip, {tuple(embeddings.shape)}; "
                f"given: {given}"
            )
        bonafide = labels == BONAFIDE
        if not bonafide.any():
            return embeddings.sum() * 0  # a mean over nothing would be NaN

        # All pairs (k, k), not the diagonal alone: the two crops of one clip come closer, and so
        # does all bona fide speech of the batch.
        distances = 1 - cosine(embeddings[bonafide], pairs[bonafide])
        return (functional.softplus(self.alpha * distances) - self.margin).mean()

    def score(self, embeddings: Tensor) -> Tensor:
        """Always an error: nothing here tells bona fide from spoof."""
        raise ValueError(
            "bonafide-pairs has no score of its own: combine it in weighted-sum with a loss that "
            "has one, such as eoc-softmax"
        )
