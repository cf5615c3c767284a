"""Frames to one vector: mean and deviation, plain or weighted by attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Least variance under a root, so that its gradient stays finite.
LEAST_VARIANCE = 1e-12


def mean_and_deviation(frames: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean and unbiased standard deviation over the real frames: (B, N, D) -> (B, 2 D).

    The deviation of a single frame is (nearly) zero.
    """
    if mask is None:
        mask = torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device)
    count = mask.sum(dim=1, keepdim=True)
    frames = frames.masked_fill(~mask[..., None], 0)
    mean = frames.sum(dim=1) / count
    centred = (frames - mean[:, None]).masked_fill(~mask[..., None], 0)
    variance = centred.square().sum(dim=1) / (count - 1).clamp(min=1)
    return torch.cat([mean, variance.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


class AttentivePooling(nn.Module):
    """Weighted sum of frames and, with `deviation`, the deviation of the weighted frames.

    The weights are a soft-max over time of tanh(v . frame). The deviation is that of frames already
    multiplied by their weights, as AIR-ASVspoof and EBM compute it, so it shrinks with the length
    of the clip.

    Args:
        dim: Width of the frames.
        deviation: Give mean and deviation (B, 2 dim) instead of the mean alone (B, dim).
        noise: Deviation of the noise put on the weighted frames in training.
    """

    def __init__(self, dim: int, deviation: bool = True, noise: float = 1e-5) -> None:
        super().__init__()
        self.deviation = deviation
        self.noise = noise
        self.vector = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(1, dim)))

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, dim) -> (B, 2 dim) or (B, dim)."""
        # Not `frames @ vector`: onnxruntime 1.32 gets that wrong behind a transposition.
        scores = torch.tanh(F.linear(frames, self.vector).squeeze(-1))
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
            frames = frames.masked_fill(~mask[..., None], 0)
        # tanh keeps the scores within (-1, 1): no frame counts more than e^2 = 7.4 times another.
        weighted = frames * scores.softmax(dim=1)[..., None]
        total = weighted.sum(dim=1)

        if not self.deviation:
            return total
        # Frames that are all alike have a deviation of 0, whose root has no gradient. Noise in
        # evaluation, as in the released code, would change the scores from run to run.
        if self.training:
            weighted = weighted + self.noise * torch.randn_like(weighted)
        return torch.cat([total, mean_and_deviation(weighted, mask)[:, frames.shape[-1] :]], dim=1)
