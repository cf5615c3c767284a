"""The input of w2v-BERT 2: Kaldi's log filter banks, two frames to a node, batched in torch."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank, window_function

from amsdf.audio.signal.fourier import power_spectrum
from amsdf.contracts import SAMPLE_RATE, mask_of

WINDOW, HOP, FFT = 400, 160, 512
MEL_FLOOR = torch.finfo(torch.float32).eps
PRE_EMPHASIS = 0.97
#: The shortest clip that has a node: two frames.
SHORTEST = WINDOW + HOP


class KaldiFilterBank(nn.Module):
    """(B, S) -> (B, N, 2 · num_mels), each band with zero mean and unit variance over the clip.

    Frames without padding at the edges, DC removed, pre-emphasis, Povey window, power spectrum,
    triangles in mel from 20 Hz, natural logarithm of 16-bit-scaled audio (Povey et al., "The Kaldi
    speech recognition toolkit", ASRU 2011). A last odd frame is dropped.
    """

    window: Tensor
    bank: Tensor

    def __init__(self, num_mels: int = 80):
        super().__init__()
        bank = mel_filter_bank(
            num_frequency_bins=FFT // 2 + 1,
            num_mel_filters=num_mels,
            min_frequency=20,
            max_frequency=SAMPLE_RATE // 2,
            sampling_rate=SAMPLE_RATE,
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
        window = window_function(WINDOW, "povey", periodic=False)
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)
        self.register_buffer("window", torch.from_numpy(window).float(), persistent=False)

    def counts(self, lengths: Tensor) -> Tensor:
        """Samples (B,) -> nodes (B,), at least one."""
        return ((lengths.clamp(min=SHORTEST) - WINDOW) // HOP + 1) // 2

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """(B, S), true lengths (B,) -> (B, N, 2 · num_mels), zero behind the clip."""
        # The statistics include a last odd frame, as in the model's own feature extractor.
        frames = (lengths.clamp(min=SHORTEST) - WINDOW) // HOP + 1
        with torch.autocast(waveform.device.type, enabled=False):
            bands = _standardised(self._levels(waveform.float() * 2**15), frames)
        even = bands[:, : bands.shape[1] // 2 * 2]
        nodes = rearrange(even, "b (n pair) mel -> b n (pair mel)", pair=2)
        return nodes * mask_of(self.counts(lengths), nodes.shape[1])[..., None]

    def _levels(self, waveform: Tensor) -> Tensor:
        """(B, S) -> (B, T, num_mels)."""
        frames = waveform.unfold(1, WINDOW, HOP)
        frames = frames - frames.mean(-1, keepdim=True)
        before = F.pad(frames[..., :-1], (1, 0), mode="replicate")
        frames = (frames - PRE_EMPHASIS * before) * self.window.float()
        power = power_spectrum(frames, FFT)
        return (power @ self.bank.float()).clamp(min=MEL_FLOOR).log()


def _standardised(levels: Tensor, frames: Tensor) -> Tensor:
    """(B, T, mels) over the first `frames` (B,) of each clip, with the unbiased variance."""
    real = mask_of(frames, levels.shape[1])[..., None]
    count = frames[:, None, None]
    centred = (levels - (levels * real).sum(1, keepdim=True) / count) * real
    variance = centred.square().sum(1, keepdim=True) / (count - 1).clamp(min=1)
    return centred * (variance + 1e-7).rsqrt()
