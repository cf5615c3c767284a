"""MesoInception-4 over two spectral views stacked as the channels of an image.

Afchar et al., "MesoNet: a compact facial video forgery detection network" (WIFS 2018), as used on
MFCC and Whisper features by Kawa et al., "Improved deepfake detection using Whisper features"
(Interspeech 2023).
"""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from amsdf.contracts import Head, ViewShape
from amsdf.published_names import PublishedNames

#: The four poolings together divide rows and columns by this.
REDUCTION = 32


class InceptionBlock(nn.Module):
    """Four parallel convolutions of growing dilation, norm, max pooling; no activation.

    Args:
        in_channels: Of the image given.
        widths: Channels of the four branches.
    """

    def __init__(self, in_channels: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        first, *others = widths
        self.point = nn.Conv2d(in_channels, first, 1, bias=False)
        self.branches = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(in_channels, width, 1, bias=False),
                    nn.Conv2d(width, width, 3, padding=reach, dilation=reach, bias=False),
                )
                for reach, width in enumerate(others, start=1)
            ]
        )
        self.norm = nn.BatchNorm2d(sum(widths))

    def forward(self, image: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, sum of widths, H / 2, W / 2)."""
        parts = [self.point(image), *(branch(image) for branch in self.branches)]
        return F.max_pool2d(self.norm(torch.cat(parts, dim=1)), 2)


class MesoInceptionHead(Head):
    """MesoInception-4 over two views of equal width, one a channel.

    Args:
        views: Two views (B, N, D) of one width D.
        order: Names of the views in the order of the channels; by default that of `views`. The
            published order is the Whisper view, then the MFCC view.
        align: How the view with fewer nodes reaches the length of the other: `interpolate` keeps
            the two in step in time, `tile` repeats it end to end as the published system does.
        embedding_dim: Width of the embedding, the flattened map averaged to this many values.
        hidden_dim: Width of the embedding behind one more layer (linear, leaky ReLU), which the
            published network has in front of its single output: 16. Without it there is none.
        dropout: On the flattened map and behind the last layer.
    """

    def __init__(
        self,
        views: dict[str, ViewShape],
        *,
        order: list[str] | None = None,
        align: Literal["interpolate", "tile"] = "interpolate",
        embedding_dim: int = 1024,
        hidden_dim: int | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.order = list(order or views)
        _check_views(views, self.order)
        if align not in ("interpolate", "tile"):
            raise ValueError(f"align {align!r} must be 'interpolate' or 'tile'")

        self.align = align
        self.num_pooled = embedding_dim
        self.embedding_dim = hidden_dim or embedding_dim
        self.inception1 = InceptionBlock(2, (1, 4, 4, 2))
        self.inception2 = InceptionBlock(11, (2, 4, 4, 2))
        self.conv1 = nn.Conv2d(12, 16, 5, padding=2, bias=False)
        self.conv2 = nn.Conv2d(16, 16, 5, padding=2, bias=False)
        # The published network norms both convolutions with this one layer.
        self.norm = nn.BatchNorm2d(16)
        self.hidden = nn.Linear(embedding_dim, hidden_dim) if hidden_dim else None
        self.dropout = nn.Dropout(dropout)

    def image(self, views: Mapping[str, Tensor]) -> Tensor:
        """Views (B, N1, D), (B, N2, D) -> (B, 2, D, N), N the larger count and at least 32."""
        length = max(REDUCTION, *(views[name].shape[1] for name in self.order))
        return torch.stack([self._stretched(views[name], length) for name in self.order], dim=1)

    def _stretched(self, view: Tensor, length: int) -> Tensor:
        rows = view.transpose(1, 2)
        # Columns of one image must mean one time, or its convolutions mix different moments.
        if self.align == "interpolate":
            return F.interpolate(rows, length, mode="linear")
        copies = -(-length // rows.shape[-1])
        return rows.repeat(1, 1, copies)[..., :length]

    def embed(self, image: Tensor) -> Tensor:
        """(B, 2, D, N) -> (B, E)."""
        image = self.inception2(self.inception1(image))
        image = F.max_pool2d(self.norm(self.conv1(image).relu()), 2)
        image = F.max_pool2d(self.norm(self.conv2(image).relu()), 4)

        # Dropped before the averages: of four places that are averaged, all are rarely dropped.
        flat = self.dropout(rearrange(image, "b channel d n -> b (channel d n)"))
        pooled = F.adaptive_avg_pool1d(flat, self.num_pooled)
        if self.hidden is None:
            return pooled
        return self.dropout(F.leaky_relu(self.hidden(pooled), 0.1))

    def forward(self, views: Mapping[str, Tensor]) -> Tensor:  # type: ignore[override]
        """Views (B, N1, D), (B, N2, D) -> (B, E); clips must be of one length."""
        return self.embed(self.image(views))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Those of deepfake-whisper-features, spelt as there."""
        names = {"conv1": "conv1", "conv2": "conv2", "bn1": "norm", "fc1": "hidden"}
        for block in (1, 2):
            names[f"Incption{block}_conv1"] = f"inception{block}.point"
            names[f"Incption{block}_bn"] = f"inception{block}.norm"
            for branch in range(3):
                for layer in range(2):
                    theirs = f"Incption{block}_conv{branch + 2}_{layer + 1}"
                    names[theirs] = f"inception{block}.branches.{branch}.{layer}"
        return PublishedNames(names)


def _check_views(views: Mapping[str, ViewShape], order: list[str]) -> None:
    if len(views) != 2:
        raise ValueError(f"takes exactly two views, given {len(views)}: {', '.join(views)}")
    if sorted(order) != sorted(views):
        raise ValueError(f"order {order} must name the two views: {', '.join(views)}")
    first, second = (views[name] for name in order)
    if first.layers is not None or second.layers is not None:
        raise ValueError("needs nodes (B, N, D), given a stack: choose a single layer")
    if first.dim != second.dim or first.dim < REDUCTION:
        raise ValueError(
            f"needs two views of one width, {REDUCTION} or more, given {first.dim} and "
            f"{second.dim}: change the features of one"
        )
