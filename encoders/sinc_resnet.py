"""The raw-waveform front of AASIST and AMSDF: fixed band-pass filters, then a residual network.

RawGAT-ST and AASIST (Jung et al., ICASSP 2022) introduced it; AMSDF uses it as its audio view.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from amsdf.audio.signal.features import htk_points
from amsdf.audio.signal.padding import full_lengths, repeat_short
from amsdf.blocks import ResidualBlock
from amsdf.contracts import SAMPLE_RATE, Encoder, mask_of
from amsdf.plain import is_plain
from amsdf.published_names import PublishedNames, Sizes
from amsdf.weights import load_strictly, read_state_dict
from encoders._strip_training import trained_block
from encoders._strips import Span, by_strips, cut, pooled_block

POOL = 3
#: Samples of which the filters are computed at once in evaluation, a multiple of `POOL`.
STEM_STRIP = POOL * 4096
#: Clips whose maps exist at a time in evaluation: 40 MiB each with the defaults.
CLIPS_AT_ONCE = 4
#: Residual blocks of every published network.
BLOCKS = 6
#: What AMSDF puts before the names of this encoder.
AMSDF_VIEW = "audio_view_extract."


def sinc_filters(filters: int, taps: int) -> Tensor:
    """Windowed-sinc band-pass filters (filters, taps) between neighbours on the mel scale.

    The sinc is taken in float32, as where the published weights were trained: filters that are
    exact to the last digit move the outputs of AASIST by 2e-4.
    """
    edges = htk_points(filters + 1)[:, None]
    steps = torch.arange(taps) - taps // 2
    phases = (2 * edges).float() * steps / SAMPLE_RATE
    low_pass = 2 * edges / SAMPLE_RATE * torch.from_numpy(np.sinc(phases.numpy()))
    window = torch.hamming_window(taps, periodic=False, dtype=torch.float64).float()
    return (low_pass[1:] - low_pass[:-1]).float() * window


class SincResNetEncoder(Encoder):
    """Raw waveform -> sinc filters -> residual blocks -> one node per 2,187 samples (0.14 s).

    A clip too short for one node (2,315 samples with the defaults) is repeated end to end. Padding
    never reaches the nodes of a clip, but in training it enters the statistics of the norms.

    Args:
        channels: Output channels of the residual blocks; AASIST-L: 32, 32, 24, 24, 24, 24.
        filters: Band-pass filters, pooled by three to the bands.
        filter_taps: Samples under a filter, odd.
        mask_filters: In training, fewer than this many neighbouring filters are silenced (0:
            never). How many and which is drawn from torch's default CPU generator, which the seed
            of a run sets and its checkpoints restore.
        mask_per_clip: Draw for each clip; the published systems draw once for a batch.
        output: `nodes`: the largest magnitude over the bands (B, N, D), for AMSDF; `bands`: all of
            them (B, L, N, D), for AASIST.
    """

    sinc: Tensor

    def __init__(
        self,
        *,
        channels: Sequence[int] = (32, 32, 64, 64, 64, 64),
        filters: int = 70,
        filter_taps: int = 129,
        mask_filters: int = 20,
        mask_per_clip: bool = False,
        output: Literal["nodes", "bands"] = "nodes",
    ):
        super().__init__()
        if not channels:
            raise ValueError("channels is empty; give the width of each residual block")
        _check_arguments(filters, filter_taps, mask_filters, output)
        self.mask_filters = mask_filters
        self.mask_per_clip = mask_per_clip
        self.dim = channels[-1]
        self.layers = filters // POOL if output == "bands" else None
        self.register_buffer("sinc", sinc_filters(filters, filter_taps)[:, None], persistent=False)
        self.first_bn = nn.BatchNorm2d(1)
        widths = [1, *channels]
        self.residual = nn.ModuleList(
            ResidualBlock(widths[i], widths[i + 1], holds_bn1=i > 0) for i in range(len(channels))
        )

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, bands, N, D)."""
        quick = self._goes_in_strips(waveform)
        if quick and len(waveform) > CLIPS_AT_ONCE:
            places = torch.arange(len(waveform), device=waveform.device).split(CLIPS_AT_ONCE)
            shares = [(waveform[at], None if lengths is None else lengths[at]) for at in places]
            return torch.cat([self.forward(*share) for share in shares])

        padded = lengths is not None
        lengths = full_lengths(waveform) if lengths is None else lengths.to(waveform.device)
        waveform, lengths = repeat_short(waveform, lengths, self.shortest)
        counts = (lengths - self.sinc.shape[-1] + 1) // POOL
        waveform = waveform.to(self.sinc.dtype)
        bands = self._stem_in_strips(waveform) if quick else self._stem(waveform)
        for block in self.residual:
            mask = mask_of(counts, bands.shape[-1]) if padded else None
            assert isinstance(block, ResidualBlock)
            if quick:
                bands = pooled_block(block, bands, mask, POOL)
            elif _trains_in_strips(block, bands):
                bands = trained_block(block, bands, mask, POOL)
            else:
                bands = F.max_pool2d(block(bands, mask), (1, POOL))
            counts = counts // POOL
        if self.layers is None:
            return bands.abs().amax(dim=2).transpose(1, 2)
        return rearrange(bands, "b channel band n -> b band n channel")

    def _goes_in_strips(self, waveform: Tensor) -> bool:
        """Where no gradient is wanted: norms are constants then, and no map is kept."""
        quick = not (self.training or torch.is_grad_enabled() or is_plain())
        return quick and waveform.device.type == "cpu"

    def _stem_in_strips(self, waveform: Tensor) -> Tensor:
        beyond = self.sinc.shape[-1] - 1  # what the last filter of a strip looks at
        steps = (waveform.shape[-1] - beyond) // POOL * POOL

        def strip(clip: int, span: Span) -> Tensor:
            return self._stem(waveform[clip : clip + 1, span[0] : span[1] + beyond])

        return by_strips(strip, len(waveform), cut(steps, STEM_STRIP))

    def _stem(self, waveform: Tensor) -> Tensor:
        """(B, S) -> (B, 1, bands, T)."""
        filtered = F.conv1d(waveform[:, None], self.sinc)  # (B, filters, T)
        if self.training and self.mask_filters:
            filtered = filtered * self._draw_mask(len(filtered)).to(filtered)
        pooled = F.max_pool2d(filtered.abs()[:, None], POOL)
        return F.selu(self.first_bn(pooled))

    def _draw_mask(self, batch: int) -> Tensor:
        """Ones and, on neighbouring filters, zeros (batch or 1, filters, 1)."""
        num_filters = len(self.sinc)
        draw = torch.rand(2, batch if self.mask_per_clip else 1)
        width = (draw[0] * self.mask_filters).long()
        start = (draw[1] * (num_filters - width + 1)).long()[:, None]  # the last place counts too
        position = torch.arange(num_filters)
        masked = (position >= start) & (position < start + width[:, None])
        return (~masked).float()[..., None]

    @property
    def shortest(self) -> int:
        """Samples that give one node."""
        return POOL ** (1 + len(self.residual)) + self.sinc.shape[-1] - 1

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples."""
        samples = lengths.clamp(min=self.shortest) - self.sinc.shape[-1] + 1
        return samples // POOL ** (1 + len(self.residual))

    def load_pretrained(self, path: Path) -> None:
        """Take this encoder's weights from a published AASIST or AMSDF state dict."""
        state = read_state_dict(path)
        view = {
            name.removeprefix(AMSDF_VIEW): tensor
            for name, tensor in state.items()
            if name.startswith(AMSDF_VIEW)
        }
        weights, _ = self.from_published(view or state)
        load_strictly(self, weights, str(path))

    @classmethod
    def published_names(cls) -> PublishedNames:
        """AASIST's names, which AMSDF's audio view has too."""
        blocks = {f"encoder.{block}.0": f"residual.{block}" for block in range(BLOCKS)}
        return PublishedNames({"first_bn": "first_bn", **blocks})

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """The width of each block."""
        return {"channels": [sizes.of(f"residual.{block}.bn2.weight") for block in range(BLOCKS)]}

    def blocks(self) -> Sequence[nn.Module]:
        """The norm of the filter outputs and the residual blocks."""
        return [self.first_bn, *self.residual]


def _trains_in_strips(block: ResidualBlock, image: Tensor) -> bool:
    """The first block alone: its maps are the widest, and its first convolution is cheap.

    A block that is held frozen goes by running statistics, though the encoder trains.
    """
    quick = block.bn2.training and torch.is_grad_enabled() and not is_plain()
    return quick and image.shape[1] == 1 and image.device.type == "cpu"


def _check_arguments(filters: int, taps: int, mask_filters: int, output: str) -> None:
    if taps % 2 == 0:
        raise ValueError(f"filter_taps is {taps}; a symmetric filter has an odd number of taps")
    if filters < POOL:
        raise ValueError(f"filters is {filters}; at least {POOL} are pooled to one band")
    if not 0 <= mask_filters <= filters:
        raise ValueError(
            f"mask_filters is {mask_filters}; give 0 to {filters}, the number of filters"
        )
    if output not in ("nodes", "bands"):
        raise ValueError(f"output is {output!r}; give 'nodes' or 'bands'")
