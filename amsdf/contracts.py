"""What a plugin must be: `Encoder`, `Head`, `Loss`.

Shape letters, used in every docstring of the project:

    B batch · S samples · N nodes (frames) · D node width · L layers (or bands) · E embedding width

Label 1 and the higher score mean bona fide, everywhere inside the framework.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amsdf.conventions import BONAFIDE, SAMPLE_RATE, SPOOF  # noqa: F401
from amsdf.published_names import WithPublishedNames


@dataclass(frozen=True)
class ViewShape:
    """What an encoder gives a head: (B, N, dim), or the stack (B, layers, N, dim).

    Example:
        >>> ViewShape(dim=64).layers is None
        True
    """

    dim: int
    layers: int | None = None


class Encoder(WithPublishedNames, nn.Module):
    """One view of a recording: waveform (B, S) at 16 kHz in [-1, 1] -> nodes (B, N, D).

    An encoder may give a stack (B, L, N, D) instead and then declares `layers = L`. Its constructor
    takes typed keyword arguments with defaults, builds random weights, and touches neither disk nor
    network: the signature is the schema of its YAML.

    Whole-utterance mode is for encoders whose `forward` also takes `lengths` (B,): the true sample
    counts of a zero-padded batch. Such an encoder gives the first `node_counts(lengths)` nodes of a
    clip the values they would have if the clip came alone; the nodes after them are ignored.

    Example:
        >>> class Frames(Encoder):
        ...     dim = 400
        ...     def forward(self, waveform, lengths=None):
        ...         return waveform.unfold(1, 400, 400)
        >>> Frames()(torch.zeros(2, 16_000)).shape
        torch.Size([2, 40, 400])
    """

    dim: int
    layers: int | None = None

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, L, N, D) when `layers` is declared."""
        raise NotImplementedError

    def node_counts(self, lengths: Tensor) -> Tensor | None:
        """True node counts (B,) of clips of `lengths` (B,) samples; None: in proportion."""
        return None

    def load_pretrained(self, path: Path) -> None:
        """Read pretrained weights, strictly; called once, before training."""
        raise ValueError(f"{type(self).__name__} reads no pretrained weights; given: {path}")

    @classmethod
    def architecture_of(cls, path: Path) -> dict[str, Any]:
        """Constructor arguments that the pretrained file at `path` decides, read safely."""
        return {}

    @classmethod
    def published_url(cls, name: str) -> str | None:
        """Where the weights that are called `name` are published; None for any other name."""
        return None

    @classmethod
    def download(cls, url: str) -> Path:
        """Fetch what `published_url` gave; called only when the file is in no pretrained folder."""
        raise NotImplementedError

    def blocks(self) -> Sequence[nn.Module]:
        """Parts from input to output, the units of partial freezing and layer-wise rates."""
        return list(self.children())


class Head(WithPublishedNames, nn.Module):
    """Fusion of named views into one embedding.

    The constructor's first argument is `views: dict[str, ViewShape]`; more keyword arguments with
    defaults may follow. A head that also takes `masks` works on whole utterances.

    Example:
        >>> class MeanHead(Head):
        ...     def __init__(self, views):
        ...         super().__init__()
        ...         self.embedding_dim = sum(view.dim for view in views.values())
        ...     def forward(self, views, masks=None):
        ...         return torch.cat([nodes.mean(dim=1) for nodes in views.values()], dim=1)
        >>> head = MeanHead({"audio": ViewShape(3), "text": ViewShape(5)})
        >>> head({"audio": torch.zeros(2, 7, 3), "text": torch.zeros(2, 9, 5)}).shape
        torch.Size([2, 8])
    """

    embedding_dim: int

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Views (B, N, D) or (B, L, N, D), masks (B, N), true on real nodes -> (B, E)."""
        raise NotImplementedError


class Loss(WithPublishedNames, nn.Module):
    """An objective over embeddings that also gives the score.

    The constructor's first argument is `embedding_dim: int`. A loss owns its classifier or centre:
    parameters and buffers, so that they train, move and save with everything else.

    Example:
        >>> class LogisticLoss(Loss):
        ...     def __init__(self, embedding_dim):
        ...         super().__init__()
        ...         self.linear = nn.Linear(embedding_dim, 1)
        ...     def score(self, embeddings):
        ...         return self.linear(embeddings).squeeze(1)
        ...     def forward(self, embeddings, labels, pairs=None):
        ...         scores = self.score(embeddings)
        ...         return nn.functional.binary_cross_entropy_with_logits(scores, labels.float())
        >>> LogisticLoss(8).score(torch.zeros(4, 8)).shape
        torch.Size([4])
    """

    #: `forward` gets a second crop of each clip as `pairs` (B, E).
    wants_pairs: bool = False
    #: After each step the centre alone takes another one, on `centre_loss` of a fresh forward pass.
    wants_centre_step: bool = False
    #: False for a term that only helps another loss, as a part of `weighted-sum`.
    has_score: bool = True

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """Embeddings (B, E) and integer labels (B,), 1 = bona fide -> scalar."""
        raise NotImplementedError

    def score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), higher = more bona fide."""
        raise NotImplementedError

    def published_score(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> (B,), the score that the authors of the loss report, where theirs differs."""
        return self.score(embeddings)

    def swap_classes(self) -> None:
        """Take the other class as bona fide: every score changes its sign."""
        raise ValueError(f"{type(self).__name__} cannot take the other class as bona fide")

    def centre_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The objective of the centre-only step -> scalar."""
        return self(embeddings, labels)

    def weight_of(self, labels: Tensor) -> float:
        """What a batch of `labels` (B,) counts beside others of a step; else than B if weighted."""
        return float(len(labels))

    def centre_weight_of(self, labels: Tensor) -> float:
        """The same for `centre_loss`."""
        return self.weight_of(labels)

    def centre_parameters(self) -> list[nn.Parameter]:
        """Parameters that `train.centre` may give an optimiser of their own."""
        return []

    def start_epoch(self, epoch: int) -> None:
        """Told before each epoch, counted from 0."""


def check_labels(embeddings: Tensor, labels: Tensor) -> None:
    """Refuse labels that a loss would silently misread: embeddings (B, E), labels (B,)."""
    if labels.dim() != 1 or len(labels) != len(embeddings):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)} for {len(embeddings)} embeddings; "
            f"they must be ({len(embeddings)},)"
        )
    if not len(labels):
        raise ValueError("the batch is empty; a loss needs at least one clip")
    if labels.dtype == torch.bool or labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels are {labels.dtype}; they must be integers, 1 = bona fide")
    strange = labels[(labels != BONAFIDE) & (labels != SPOOF)]
    if len(strange):
        raise ValueError(
            f"label {int(strange[0])} is neither {BONAFIDE} (bona fide) nor {SPOOF} (spoof)"
        )


def has_parameter(function: Any, argument: str) -> bool:
    """Whether `function` has a parameter of that name."""
    return argument in inspect.signature(function).parameters


def mask_of(counts: Tensor, num_nodes: int) -> Tensor:
    """Counts (B,) -> mask (B, num_nodes), true on the first `counts` nodes of each row."""
    return torch.arange(num_nodes, device=counts.device) < counts[:, None]
