"""Waveforms of one band and one loudness, so that neither tells a recording's origin.

Corpora differ in where their band ends and how loud they are, and real and fake clips of one corpus
often do too. A detector that hears only the common band at the common level cannot learn that.
"""

import torch
from torch import Tensor

from amsdf.audio.signal.fourier import filtered
from amsdf.audio.signal.padding import zero_beyond
from amsdf.config import Clip
from amsdf.conventions import SAMPLE_RATE

#: Frames of 20 ms count as active when they are less than 30 dB below the loudest one.
_FRAME, _ACTIVE = 320, 1e-3
#: Steepness of the two slopes: powers of the frequency ratio.
_LOW_ORDER, _HIGH_ORDER = 8, 40
_LEAST = 1e-9


def limit_band(waveform: Tensor, lowest: float, highest: float) -> Tensor:
    """(B, S) -> (B, S) between two frequencies in Hz, nothing moved in time."""
    samples = waveform.shape[1]
    frequencies = torch.arange(samples // 2 + 1, device=waveform.device) * (SAMPLE_RATE / samples)
    below = (lowest / frequencies.clamp(min=1e-3)).clamp(max=1e4) ** _LOW_ORDER
    above = (frequencies / highest) ** _HIGH_ORDER
    gain = ((1 + below) * (1 + above)).rsqrt()
    return filtered(waveform, gain)


def set_level(waveform: Tensor, level_db: float) -> Tensor:
    """(B, S) -> (B, S) with its active frames at `level_db` below full scale; silence stays."""
    frames = waveform.unfold(1, min(_FRAME, waveform.shape[1]), _FRAME)
    power = frames.square().mean(dim=2)  # (B, frames)
    active = power >= power.amax(dim=1, keepdim=True) * _ACTIVE
    level = ((power * active).sum(dim=1) / active.sum(dim=1)).sqrt()
    return waveform * (10 ** (level_db / 20) / (level + _LEAST))[:, None]


def condition(waveform: Tensor, lengths: Tensor | None, clip: Clip) -> Tensor:
    """(B, S), of true lengths (B,) where padded -> (B, S) as `clip` wants it."""
    if clip.band_hz is None and clip.level_db is None:
        return waveform
    changed = waveform.float()
    if clip.band_hz is not None:
        changed = limit_band(changed, *clip.band_hz)
    if lengths is not None:
        changed = zero_beyond(changed, lengths)
    if clip.level_db is not None:
        changed = set_level(changed, clip.level_db)
    return changed.to(waveform.dtype)
