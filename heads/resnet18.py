"""Pre-activation ResNet-18 with attentive statistics over a spectral view.

The network of Zhang, Jiang and Duan, "One-class learning towards synthetic voice spoofing
detection" (IEEE SPL 28, 2021), after He et al.'s identity mappings (ECCV 2016).
"""

from collections.abc import Mapping
from typing import Any, cast

from einops import rearrange
from torch import Tensor, nn

from amsdf.blocks import blank
from amsdf.contracts import Head, ViewShape
from amsdf.published_names import PublishedNames, Sizes
from heads._norms import batch_norm
from heads._pooling import AttentivePooling
from heads._view_adapters import only_view

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride
LAST_CHANNELS = 256


def _strided(mask: Tensor | None, stride: int) -> Tensor | None:
    """The mask (B, N) of every `stride`-th column."""
    return mask if mask is None else mask[:, ::stride]


class PreActivationBlock(nn.Module):
    """Norm, ReLU, convolution, twice; the shortcut starts from the activated input."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            if in_channels != out_channels or stride != 1
            else None
        )

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, in, F, N), mask (B, N) -> (B, out, F / stride, N / stride), both rounded up."""
        # Each activation is blanked before a convolution: a norm makes something else of the zeros
        # of the padding, and a convolution would carry that into the clip.
        activated = blank(self.norm1(image).relu(), mask)
        hidden = self.norm2(self.conv1(activated)).relu()
        hidden = self.conv2(blank(hidden, _strided(mask, self.stride)))
        return hidden + (image if self.shortcut is None else self.shortcut(activated))


def _initialise(module: nn.Module) -> None:
    """Start as AIR-ASVspoof does, after He et al. (ICCV 2015); torch's start is smaller."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight)


class ResNet18Head(Head):
    """Pre-activation ResNet-18 and attentive statistics over one spectral view.

    Args:
        views: One view (B, N, D) whose D features are the rows of the image.
        embedding_dim: Width of the embedding.
    """

    def __init__(self, views: dict[str, ViewShape], *, embedding_dim: int = 256) -> None:
        super().__init__()
        self.view, shape = only_view(views, stack=False)
        self.embedding_dim = embedding_dim
        rows = (shape.dim - 7) // 3 + 1
        if rows < 1:
            raise ValueError(f"needs a view of 7 or more features, {self.view!r} has {shape.dim}")

        self.conv_in = nn.Conv2d(1, 16, (9, 3), (3, 1), padding=1, bias=False)
        self.norm_in = nn.BatchNorm2d(16)
        blocks, channels = [], 16
        for width, stride in STAGES:
            blocks += [PreActivationBlock(channels, width, stride)]
            blocks += [PreActivationBlock(width, width, 1)]
            channels, rows = width, (rows - 1) // stride + 1
        self.blocks = nn.ModuleList(blocks)

        # As high as the image is here, so that one row is left: the frames.
        self.conv_out = nn.Conv2d(channels, LAST_CHANNELS, (rows, 3), padding=(0, 1), bias=False)
        self.norm_out = nn.BatchNorm2d(LAST_CHANNELS)
        self.pooling = AttentivePooling(LAST_CHANNELS)
        self.linear = nn.Linear(2 * LAST_CHANNELS, embedding_dim)
        self.apply(_initialise)

    def forward(
        self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The view (B, N, D), its mask (B, N) -> (B, E)."""
        mask = masks[self.view] if masks else None
        image = blank(views[self.view].transpose(1, 2)[:, None], mask)
        image = self.norm_in(self.conv_in(image)).relu()
        for block in self.blocks:
            image = block(image, mask)
            mask = _strided(mask, cast(PreActivationBlock, block).stride)
        frames = batch_norm(self.norm_out, self.conv_out(blank(image, mask))).relu()
        nodes = rearrange(frames, "b channel 1 n -> b n channel")
        return self.linear(self.pooling(nodes, mask))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Those of AIR-ASVspoof; a layer of its early versions, `fc_att`, does nothing."""
        blocks = {}
        for layer in range(len(STAGES)):
            for place in range(2):
                block = f"blocks.{2 * layer + place}"
                blocks[f"layer{layer + 1}.{place}"] = block
                blocks[f"layer{layer + 1}.{place}.shortcut.0"] = f"{block}.shortcut"
        ends = {
            "conv1": "conv_in",
            "bn1": "norm_in",
            "conv5": "conv_out",
            "bn5": "norm_out",
            "attention.att_weights": "pooling.vector",
            "fc": "linear",
        }
        words = {"bn1": "norm1", "bn2": "norm2"}
        return PublishedNames({**blocks, **ends}, words, unused=["fc_att"])

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """The width of the embedding."""
        return {"embedding_dim": sizes.of("linear.bias")}
