"""One loss for each of several embeddings side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from losses.weighted_sum import WeightedSumLoss


class SplitSumLoss(WeightedSumLoss):
    """Sum of copies of one loss over equal parts of the embedding; the last copy scores.

    For a head that gives the embeddings of several classifiers, as `hm-conformer` does with
    `multi_level: true`. In YAML: `{name: split-sum, loss: {name: oc-softmax}, weights: [0.5, 1]}`

    Args:
        embedding_dim: Width E of all embeddings together.
        loss: Mapping of `name` and the arguments of the loss that is copied.
        weights: Weight of each copy; there are as many copies, and parts of the embedding.
    """

    def __init__(
        self,
        embedding_dim: int,
        loss: Mapping[str, Any] | None = None,
        weights: Sequence[float] = (1.0,),
    ) -> None:
        if not weights or embedding_dim % len(weights):
            raise ValueError(
                f"{len(weights)} weights do not divide the embedding width {embedding_dim}; "
                "give one for each embedding that the head gives"
            )
        copied = loss or {"name": "oc-softmax"}
        parts = [{**copied, "weight": weight} for weight in weights]
        super().__init__(embedding_dim // len(weights), parts)
        self.scoring_part = len(parts) - 1

    def _shares(self, embeddings: Tensor) -> Sequence[Tensor]:
        """The equal parts (B, E / number of parts) of embeddings (B, E)."""
        return embeddings.chunk(len(self.parts), dim=1)
