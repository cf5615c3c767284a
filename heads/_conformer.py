"""A Conformer block whose leading tokens stay out of the convolution.

Gulati et al., "Conformer: convolution-augmented transformer for speech recognition" (Interspeech
2020), in the form that HM-Conformer uses: attention to the absolute position of each key.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from heads._norms import batch_norm

#: Of all layer norms, as in the released code.
NORM_EPSILON = 1e-12
#: How HM-Conformer's files call the weights of a block.
PUBLISHED_WORDS = {
    "feed_forward_macaron": "feed_forward1",
    "feed_forward": "feed_forward2",
    "w_1": "linear1",
    "w_2": "linear2",
    "self_attn": "attention",
    "linear_q": "query",
    "linear_k": "key",
    "linear_v": "value",
    "linear_pos": "position",
    "linear_out": "out",
    "pos_bias_u": "content_bias",
    "pos_bias_v": "position_bias",
    "conv_module": "convolution",
    "pointwise_conv1": "pointwise1",
    "depthwise_conv": "depthwise",
    "pointwise_conv2": "pointwise2",
    "norm_ff_macaron": "norm_feed_forward1",
    "norm_mha": "norm_attention",
    "norm_conv": "norm_convolution",
    "norm_ff": "norm_feed_forward2",
    "norm_final": "norm_out",
}


def sinusoids(length: int, dim: int, like: Tensor) -> Tensor:
    """Sines at even and cosines at odd features -> (1, length, dim)."""
    position = torch.arange(length, device=like.device, dtype=torch.float32)[:, None]
    step = torch.arange(0, dim, 2, device=like.device, dtype=torch.float32)
    angle = position * torch.exp(-math.log(10_000.0) / dim * step)
    table = rearrange([angle.sin(), angle.cos()], "pair n step -> n (step pair)")[:, :dim]
    return table[None].to(like.dtype)


class FeedForward(nn.Module):
    """Linear, swish, linear."""

    def __init__(self, dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        return self.linear2(self.dropout(F.silu(self.linear1(frames))))


class PositionAttention(nn.Module):
    """Self-attention with a learned bias of the query towards content and one towards position.

    Args:
        dim: Width of the frames.
        heads: Number of attention heads.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.position = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.content_bias = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, dim // heads)))
        self.position_bias = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, dim // heads)))

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D), mask (B, N) -> (B, N, D)."""
        query = self._split(self.query(frames))
        key = self._split(self.key(frames))
        value = self._split(self.value(frames))
        # The place of the key, not its distance from the query: the released code lacks the shift
        # that would make it relative.
        position = self._split(self.position(sinusoids(frames.shape[1], frames.shape[2], frames)))

        # (q + u) k + (q + v) p is one product of features twice as wide, which the fused kernel
        # takes. Its scale stays that of one width.
        doubled = torch.cat(
            [query + self.content_bias[:, None], query + self.position_bias[:, None]], dim=-1
        )
        attended = F.scaled_dot_product_attention(
            doubled,
            torch.cat([key, position.expand_as(key)], dim=-1),
            value,
            attn_mask=None if mask is None else mask[:, None, None],
            scale=1 / math.sqrt(key.shape[-1]),
        )
        return self.out(rearrange(attended, "b head n width -> b n (head width)"))

    def _split(self, frames: Tensor) -> Tensor:
        return rearrange(frames, "b n (head width) -> b head n width", head=self.heads)


class ConvolutionModule(nn.Module):
    """Pointwise, GLU, depthwise, batch norm, swish, pointwise.

    Args:
        dim: Width of the frames.
        kernel: Frames the depthwise convolution sees; odd.
    """

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.pointwise1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.BatchNorm1d(dim)
        self.pointwise2 = nn.Conv1d(dim, dim, 1)

    def forward(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D), mask (B, N) -> (B, N, D)."""
        hidden = F.glu(self.pointwise1(frames.transpose(1, 2)), dim=1)
        # Zeros are what the border of a clip alone is padded with.
        if mask is not None:
            hidden = hidden.masked_fill(~mask[:, None], 0)
        normed = batch_norm(self.norm, self.depthwise(hidden))
        return self.pointwise2(F.silu(normed)).transpose(1, 2)


class ConformerBlock(nn.Module):
    """Half feed-forward, attention, convolution, half feed-forward, each before its own norm.

    Args:
        dim: Width of the frames.
        heads: Number of attention heads.
        hidden_dim: Inner width of the feed-forward layers.
        kernel: Frames the convolution sees; odd.
        dropout: Inside the feed-forward layers and after each part; on no attention weight.
    """

    def __init__(self, dim: int, heads: int, hidden_dim: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.feed_forward1 = FeedForward(dim, hidden_dim, dropout)
        self.attention = PositionAttention(dim, heads)
        self.convolution = ConvolutionModule(dim, kernel)
        self.feed_forward2 = FeedForward(dim, hidden_dim, dropout)
        self.norm_feed_forward1 = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.norm_attention = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.norm_convolution = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.norm_feed_forward2 = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.norm_out = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, num_tokens: int, mask: Tensor | None = None) -> Tensor:
        """(B, N, D), the first `num_tokens` of them tokens, mask (B, N) -> (B, N, D)."""
        # Two feed-forward layers around the rest, each with half a step: together they weigh as
        # much as one.
        hidden = self.feed_forward1(self.norm_feed_forward1(frames))
        frames = frames + 0.5 * self.dropout(hidden)

        frames = frames + self.dropout(self.attention(self.norm_attention(frames), mask))

        # A token has no neighbours in time, so it goes through no convolution. It adds its own norm
        # instead, as in the released code.
        normed = self.norm_convolution(frames)
        sound_mask = None if mask is None else mask[:, num_tokens:]
        sound = self.convolution(normed[:, num_tokens:], sound_mask)
        frames = frames + self.dropout(torch.cat([normed[:, :num_tokens], sound], dim=1))

        hidden = self.feed_forward2(self.norm_feed_forward2(frames))
        return self.norm_out(frames + 0.5 * self.dropout(hidden))
