"""Adaptive centroid shift: the centre of bona fide speech is averaged, not learned."""

import logging
from collections.abc import Callable, Iterable
from typing import Self

import torch
from torch import Tensor, distributed

from amsdf.contracts import BONAFIDE, SPOOF, Loss, check_labels
from losses._cosine import at_least_float32, cosine, unit

logger = logging.getLogger(__name__)


class AdaptiveCentroidShiftLoss(Loss):
    """Adaptive centroid shift of Kim, Jang and Kim (Interspeech 2024).

    1 - mean cosine of bona fide to the centroid + mean cosine of spoof to it, between -1 and 3:
    negative values are in order. The centroid is the running mean of all bona fide embeddings
    seen in training, moved by each batch before its loss is taken, and a constant in the gradient.
    In a batch of one class the term of the other is left out.

    Args:
        embedding_dim: Width E of the embeddings.
        reset_each_epoch: Forget at each epoch how many embeddings were seen, so that its first
            batch replaces the centroid; otherwise early embeddings stay in it for ever.
        momentum: Move by this share of the way to each batch's mean instead of averaging.
        normalise_rows: Average unit vectors, so that long embeddings count no more than short ones.
    """

    centroid: Tensor
    count: Tensor
    initialised: Tensor

    def __init__(
        self,
        embedding_dim: int,
        reset_each_epoch: bool = False,
        momentum: float | None = None,
        normalise_rows: bool = False,
    ) -> None:
        super().__init__()
        if momentum is not None and not 0 < momentum <= 1:
            raise ValueError(f"momentum {momentum} must be above 0 and at most 1")
        self.reset_each_epoch, self.momentum = reset_each_epoch, momentum
        self.normalise_rows = normalise_rows
        # Buffers are not trained, but saved, restored and moved to devices like parameters. A plain
        # attribute would be lost on reload, and the detector could not score.
        self.register_buffer("centroid", torch.zeros(embedding_dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        self.skipped_batches = 0

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move and cast; but a centroid in half precision would be rounded at every batch."""
        exact = self.centroid
        super()._apply(fn, recurse)
        if self.centroid.dtype in (torch.float16, torch.bfloat16):
            self.centroid = exact.to(self.centroid.device)
        return self

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        # Before the loss, as published: the first batch then has a centroid. Not in evaluation: dev
        # clips would become part of the detector that they are to judge.
        if self.training and torch.is_grad_enabled():
            self.update_centroid(embeddings[labels == BONAFIDE])
            if not self.initialised:
                return self._skip(embeddings)

        cosines = self.score(embeddings)
        bonafide, spoof = cosines[labels == BONAFIDE], cosines[labels == SPOOF]
        # One mean for each class, so that the rarer class counts as much.
        loss = cosines.new_ones(())
        if len(bonafide):
            loss = loss - bonafide.mean()
        if len(spoof):
            loss = loss + spoof.mean()
        return loss

    def _skip(self, embeddings: Tensor) -> Tensor:
        """A zero that still has a graph, so that every process takes the same step."""
        self.skipped_batches += 1
        logger.warning(
            "no bona fide clip seen yet, so there is no centroid: batch without effect, number %d",
            self.skipped_batches,
        )
        return at_least_float32(embeddings).sum() * 0

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), cosine to the centroid."""
        if not (torch.compiler.is_exporting() or self.initialised):
            raise ValueError(
                "the acs centroid has not been initialised: train on a batch with bona fide clips "
                "or call rebuild first"
            )
        return cosine(embeddings, self.centroid[None]).squeeze(1)

    @torch.no_grad()
    def update_centroid(self, bonafide_embeddings: Tensor) -> None:
        """Move the centroid by embeddings (k, E), k >= 0, of all processes together."""
        total, added = self._total([bonafide_embeddings])
        if added == 0:
            return
        # The running mean over all rows so far; a constant share is a moving average instead.
        share = added.to(total.dtype) / (self.count + added)
        if self.momentum is not None and self.initialised:
            share = torch.full_like(share, self.momentum)
        self.centroid += (total / added - self.centroid) * share
        self.count += added
        self.initialised.fill_(True)

    @torch.no_grad()
    def rebuild(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Make the centroid the mean of the bona fide rows of batches of (B, E) and labels (B,).

        Useful before scoring: the embeddings can then all come from the finished network.
        """
        total, added = self._total(_bonafide_rows(batches))
        if added == 0:
            raise ValueError("rebuild met no bona fide embedding: the acs centroid is unchanged")
        self.centroid.copy_(total / added)
        self.count.copy_(added)
        self.initialised.fill_(True)

    def _total(self, groups: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum (E,) and count () of the finite rows of embeddings (k, E), over all processes."""
        total = torch.zeros_like(at_least_float32(self.centroid))
        count = torch.zeros_like(self.count)
        for rows in groups:
            # One NaN in the centroid would make every later loss NaN.
            finite = at_least_float32(rows)[torch.isfinite(rows).all(dim=1)]
            total += (unit(finite) if self.normalise_rows else finite).sum(dim=0)
            count += len(finite)

        # Sums and counts add up over processes; means of shares of unequal size do not.
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(total)
            distributed.all_reduce(count)
        return total, count

    def start_epoch(self, epoch: int) -> None:
        """Forget the count if asked to; the centroid stays until a batch replaces it."""
        if self.reset_each_epoch:
            self.count.zero_()


def _bonafide_rows(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterable[Tensor]:
    for embeddings, labels in batches:
        check_labels(embeddings, labels)
        yield embeddings[labels == BONAFIDE]
