"""A weighted sum of other losses."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from amsdf import registry
from amsdf.contracts import Loss


class WeightedSumLoss(Loss):
    """Sum of several registered losses, each with a weight; one of them scores.

    In YAML: `{name: weighted-sum, parts: [{name: eoc-softmax}, {name: bonafide-pairs, weight: 2}]}`

    Args:
        embedding_dim: Width E of the embeddings.
        parts: Mappings of `name`, `weight` (1 if absent) and the arguments of the named loss.
        score_with: Name of the part that scores; without it, the first that can.
    """

    def __init__(
        self,
        embedding_dim: int,
        parts: Sequence[Mapping[str, Any]] = (),
        score_with: str | None = None,
    ) -> None:
        super().__init__()
        names = [str(part.get("name", "")) for part in parts]
        if not all(names) or not names:
            raise ValueError(f"parts {list(parts)} must be a list of {{name: …, weight: …}}")
        self.parts = nn.ModuleList(_build(embedding_dim, **part) for part in parts)
        self.weights = [float(part.get("weight", 1.0)) for part in parts]
        self.wants_pairs = any(part.wants_pairs for part in self._losses())
        self.wants_centre_step = any(part.wants_centre_step for part in self._losses())
        self.scoring_part = self._find_scoring_part(names, score_with)

    def _find_scoring_part(self, names: list[str], score_with: str | None) -> int:
        """Place of the part that scores: the named one, or the first that can."""
        if score_with and score_with not in names:
            raise ValueError(
                f"score_with {score_with!r} is none of the parts."
                f"{registry.nearest(score_with, names)} Parts: {', '.join(names)}"
            )

        able = [i for i, part in enumerate(self._losses()) if part.has_score]
        asked = [i for i in able if score_with in (None, names[i])]
        if not asked:
            silent = f"score_with {score_with!r}" if score_with else f"parts {', '.join(names)}"
            known = ", ".join(names[i] for i in able)
            remedy = f"name one of {known}" if able else "add one that can, such as oc-softmax"
            raise ValueError(f"{silent} cannot score; {remedy}")
        return asked[0]

    def _losses(self) -> list[Loss]:
        return cast(list[Loss], list(self.parts))

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) and, if a part wants them, second crops (B, E) -> scalar."""
        shares = self._shares(embeddings)
        pair_shares = [None] * len(shares) if pairs is None else self._shares(pairs)
        values = [
            part(share, labels, pair_share) if part.wants_pairs else part(share, labels)
            for part, share, pair_share in zip(self._losses(), shares, pair_shares, strict=True)
        ]
        return self._sum(values, self.weights)

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), the score of one part."""
        share = self._shares(embeddings)[self.scoring_part]
        return self._losses()[self.scoring_part].score(share)

    def published_score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), that of the same part."""
        share = self._shares(embeddings)[self.scoring_part]
        return self._losses()[self.scoring_part].published_score(share)

    def swap_classes(self) -> None:
        """In every part that scores."""
        for part in self._losses():
            if part.has_score:
                part.swap_classes()

    def centre_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The weighted sum over the parts that want a centre step -> scalar."""
        stepping = [i for i, part in enumerate(self._losses()) if part.wants_centre_step]
        shares = self._shares(embeddings)
        values = [self._losses()[i].centre_loss(shares[i], labels) for i in stepping]
        return self._sum(values, [self.weights[i] for i in stepping])

    def weight_of(self, labels: Tensor) -> float:
        """That of the part that scores: parts that count batches differently have one weight."""
        return self._losses()[self.scoring_part].weight_of(labels)

    def centre_weight_of(self, labels: Tensor) -> float:
        """That of the first part with a centre step."""
        stepping = (part for part in self._losses() if part.wants_centre_step)
        return next(stepping, self._losses()[0]).centre_weight_of(labels)

    def centre_parameters(self) -> list[nn.Parameter]:
        """Those of the parts that want a centre step, or of all if none does."""
        stepping = [part for part in self._losses() if part.wants_centre_step]
        owners = stepping or self._losses()
        return [parameter for part in owners for parameter in part.centre_parameters()]

    def start_epoch(self, epoch: int) -> None:
        """Tell every part."""
        for part in self._losses():
            part.start_epoch(epoch)

    def _shares(self, embeddings: Tensor) -> Sequence[Tensor]:
        """What each part sees of embeddings (B, E): all of it."""
        return [embeddings] * len(self.parts)

    @staticmethod
    def _sum(values: list[Tensor], weights: list[float]) -> Tensor:
        return torch.stack([w * value for w, value in zip(weights, values, strict=True)]).sum()


def _build(embedding_dim: int, name: str, weight: float = 1.0, **arguments: Any) -> Loss:
    if weight < 0:
        raise ValueError(f"weight {weight} of part {name!r} must not be negative")
    return registry.build("losses", name, embedding_dim, **arguments)
