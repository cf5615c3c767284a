"""Whisper's audio encoder as a network. Its weights have the names that transformers gives them.

transformers and openai-whisper have this network too, but to import them takes seconds.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

#: Weights are drawn with this deviation, as in transformers.
_DEVIATION = 0.02
_LONGEST_WAVE = 10_000


@dataclass(frozen=True)
class Dimensions:
    """Sizes of a whole model, under openai-whisper's names; the decoder's are the last four."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int


class WhisperNetwork(nn.Module):
    """Two convolutions, fixed positions, transformer layers, a norm; the caller joins them."""

    def __init__(self, dims: Dimensions):
        super().__init__()
        width = dims.n_audio_state
        if width % dims.n_audio_head:
            raise ValueError(f"width {width} is no multiple of {dims.n_audio_head} heads")
        self.dims = dims
        self.conv1 = nn.Conv1d(dims.n_mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(dims.n_audio_ctx, width)
        self.layers = nn.ModuleList(
            WhisperLayer(width, dims.n_audio_head) for _ in range(dims.n_audio_layer)
        )
        self.layer_norm = nn.LayerNorm(width)
        self.apply(_draw)
        self.embed_positions.weight.requires_grad_(False).copy_(_waves(dims.n_audio_ctx, width))


class WhisperLayer(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.self_attn = WhisperAttention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, nodes: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D); `mask` (B, 1, 1, N) is true where a node is heard."""
        nodes = nodes + self.self_attn(self.self_attn_layer_norm(nodes), mask)
        nodes = nodes + self.fc2(F.gelu(self.fc1(self.final_layer_norm(nodes))))
        if nodes.dtype == torch.float16:  # the larger models reach its limit
            most = torch.finfo(torch.float16).max - 1000
            nodes = nodes.clamp(-most, most)
        return nodes


class WhisperAttention(nn.Module):
    """Self-attention in `heads` parts; keys have no bias."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, nodes: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        scale = (nodes.shape[2] // self.heads) ** -0.5  # before the product, as openai does
        parts = self.q_proj(nodes) * scale, self.k_proj(nodes), self.v_proj(nodes)
        query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=self.heads) for x in parts)
        heard = F.scaled_dot_product_attention(query, key, value, mask, scale=1.0)
        return self.out_proj(rearrange(heard, "b h n d -> b n (h d)"))


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.normal_(module.weight, std=_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _waves(count: int, width: int) -> Tensor:
    """Positions (count, width): sines, then cosines, of ever longer waves."""
    step = math.log(_LONGEST_WAVE) / (width // 2 - 1)
    rates = torch.exp(-step * torch.arange(width // 2))
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
