"""Network parts of which an encoder and a head have need; neither package may import the other."""

import torch.nn.functional as F
from torch import Tensor, nn


def blank(image: Tensor, mask: Tensor | None) -> Tensor:
    """Zero the padded columns, as the border of a convolution is: (B, C, F, N), mask (B, N)."""
    return image if mask is None else image.masked_fill(~mask[:, None, None], 0)


class ResidualBlock(nn.Module):
    """AASIST's block (Jung et al., ICASSP 2022): two 2 x 3 convolutions beside a shortcut.

    There is no activation after the sum. The published networks also compute a norm, `bn1`, and an
    activation in front of the first convolution and throw the result away; so nothing is computed
    here. The names are those of the published weights.

    Args:
        in_channels: Channels given.
        out_channels: Channels returned.
        holds_bn1: Hold `bn1`, untrained and unused, so that weights which have it load strictly.
    """

    def __init__(self, in_channels: int, out_channels: int, holds_bn1: bool = False) -> None:
        super().__init__()
        if holds_bn1:
            self.bn1 = nn.BatchNorm2d(in_channels).requires_grad_(False)
        # One padded row at top and bottom adds a row, and no padding takes it away again.
        self.conv1 = nn.Conv2d(in_channels, out_channels, (2, 3), padding=(1, 1))
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, (2, 3), padding=(0, 1))
        self.conv_downsample = (
            nn.Conv2d(in_channels, out_channels, (1, 3), padding=(0, 1))
            if in_channels != out_channels
            else None
        )

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, in_channels, F, N), mask (B, N) -> (B, out_channels, F, N)."""
        image = blank(image, mask)
        inner = blank(F.selu(self.bn2(self.conv1(image))), mask)
        shortcut = image if self.conv_downsample is None else self.conv_downsample(image)
        return self.conv2(inner) + shortcut
