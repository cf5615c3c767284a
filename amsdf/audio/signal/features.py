"""Spectral features in torch: batched, on the waveform's device, differentiable.

A `Definition` states one published definition as plain values; `Spectral` computes any of them. The
definitions differ where it matters to a detector: taper, padding, filter scale, logarithm, deltas.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.audio.signal.fourier import power_spectrum
from amsdf.audio.signal.padding import Sizes, at_least, delta, full_lengths, reflect, zero_beyond
from amsdf.contracts import SAMPLE_RATE, mask_of

NYQUIST = SAMPLE_RATE / 2
EPS_DOUBLE = torch.finfo(torch.float64).eps
EPS_SINGLE = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Definition:
    """From waveform to coefficients; lengths in samples at 16 kHz, deltas in frames."""

    window: int = 400
    hop: int = 160
    fft: int = 512
    taper: Literal["rectangular", "hann", "hamming", "hamming-symmetric"] = "hann"
    #: `tail`: frames start at the first sample, the last one is filled up with zeros. `zero` and
    #: `reflect`: frames are centred on every hop, and this fills the margins outside the clip.
    padding: Literal["tail", "zero", "reflect"] = "reflect"
    drop_last_frame: bool = False
    pre_emphasis: float = 0.0
    filters: int = 80
    scale: Literal["linear", "htk", "slaney", "htk-bins"] = "htk"
    log: Literal["decibel", "whisper", "added", "replaced"] = "decibel"
    #: Smallest energy: the lower bound, what is added, or what replaces exact zeros (see `log`).
    floor: float = 1e-10
    #: Coefficients kept of the cosine transform; without it, the log energies themselves.
    coefficients: int | None = None
    #: The log energy of the frame in the place of coefficient 0.
    energy: bool = False
    deltas: int = 0
    #: Frames under the regression line of a delta; without it, next minus previous frame.
    delta_window: int | None = None

    def __post_init__(self) -> None:
        if self.window > self.fft:
            raise ValueError(
                f"window {self.window} is longer than fft {self.fft}; give a longer fft"
            )
        if self.coefficients is not None and self.coefficients > self.filters:
            raise ValueError(
                f"{self.coefficients} coefficients of {self.filters} filters; "
                "there are at most as many as filters"
            )
        if not 0 <= self.deltas <= 2:
            raise ValueError(f"deltas {self.deltas}; 0 none, 1 delta, 2 delta and double delta")
        if self.delta_window is not None and self.delta_window < 3:
            raise ValueError(
                f"a delta window of {self.delta_window} frames has no slope; give 3 or more"
            )


#: MATLAB LFCC of the ASVspoof baselines, as AIR-ASVspoof uses it (Zhang et al., SPL 2021).
AIR_LFCC = Definition(
    window=320,
    taper="hamming-symmetric",
    padding="tail",
    pre_emphasis=0.97,
    filters=20,
    scale="linear",
    log="added",
    floor=EPS_DOUBLE,
    coefficients=20,
    deltas=2,
)
#: Its Python port of NII, as HM-Conformer uses it (Shin et al., ICASSP 2024).
NII_LFCC = replace(AIR_LFCC, taper="hamming", padding="zero", floor=EPS_SINGLE)
#: torchaudio's LFCC and MFCC as in the Whisper-feature studies (Kawa et al., Interspeech 2023).
#: The delta window really is 400 frames, ±2 s.
TORCHAUDIO_LFCC = Definition(
    filters=128, scale="linear", coefficients=128, deltas=2, delta_window=400
)
TORCHAUDIO_MFCC = replace(TORCHAUDIO_LFCC, scale="htk")
#: Log-mel input of Whisper (Radford et al., 2022), with as many frames as the clip has.
WHISPER_LOGMEL = Definition(fft=400, drop_last_frame=True, scale="slaney", log="whisper")
#: python_speech_features' log filter bank, the input of the ACRNN emotion network.
EMOTION_LOGMEL = Definition(
    taper="rectangular",
    padding="tail",
    pre_emphasis=0.97,
    filters=40,
    scale="htk-bins",
    log="replaced",
    floor=EPS_DOUBLE,
    deltas=2,
    delta_window=5,
)


def htk_points(count: int) -> Tensor:
    """`count` frequencies (count,) from 0 to 8 kHz, equally spaced on the 2595 log10 mel scale."""
    mels = torch.linspace(0, 2595 * math.log10(1 + NYQUIST / 700), count, dtype=torch.float64)
    return 700 * (10 ** (mels / 2595) - 1)


def slaney_points(count: int) -> Tensor:
    """`count` frequencies (count,) from 0 to 8 kHz: linear to 1 kHz, logarithmic above."""
    top = 15 + 27 * math.log(NYQUIST / 1000) / math.log(6.4)
    mels = torch.linspace(0, top, count, dtype=torch.float64)
    return torch.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


def triangles(points: Tensor, bins: Tensor) -> Tensor:
    """Filters of peak 1 between neighbouring points (F + 2,), over bins (K,) -> (K, F)."""
    left, centre, right = points[:-2], points[1:-1], points[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0)


def filter_bank(definition: Definition) -> Tensor:
    """From a power spectrum to filter energies, (fft // 2 + 1, filters) in float64."""
    count, num_bins = definition.filters + 2, definition.fft // 2 + 1
    hertz = torch.linspace(0, NYQUIST, num_bins, dtype=torch.float64)
    if definition.scale == "linear":
        return triangles(torch.linspace(0, NYQUIST, count, dtype=torch.float64), hertz)
    if definition.scale == "htk":
        return triangles(htk_points(count), hertz)
    if definition.scale == "slaney":
        points = slaney_points(count)
        return triangles(points, hertz) * 2 / (points[2:] - points[:-2])
    points = ((definition.fft + 1) * htk_points(count) / SAMPLE_RATE).floor()
    _check_distinct(points, definition)
    return triangles(points, torch.arange(num_bins, dtype=torch.float64)) / definition.fft


def _check_distinct(points: Tensor, definition: Definition) -> None:
    if len(points.unique()) < len(points):
        raise ValueError(
            f"{definition.filters} filters on the bins of an fft of {definition.fft} leave some "
            "empty; give fewer filters or a longer fft"
        )


def cosine_transform(filters: int, coefficients: int) -> Tensor:
    """Orthonormal DCT-II (filters, coefficients) in float64."""
    angles = torch.arange(filters, dtype=torch.float64)[:, None] + 0.5
    table = torch.cos(math.pi / filters * angles * torch.arange(coefficients))
    table[:, 0] *= math.sqrt(0.5)
    return table * math.sqrt(2 / filters)


def _taper(definition: Definition) -> Tensor:
    if definition.taper == "rectangular":
        return torch.ones(definition.window, dtype=torch.float64)
    if definition.taper == "hann":
        return torch.hann_window(definition.window, dtype=torch.float64)
    periodic = definition.taper == "hamming"
    return torch.hamming_window(definition.window, periodic=periodic, dtype=torch.float64)


def _loudest(levels: Tensor, real: Tensor) -> Tensor:
    """The highest level of each clip among its real frames (B, T, 1) -> (B, 1, 1)."""
    return levels.masked_fill(~real, -math.inf).amax((1, 2), keepdim=True)


def _decibel(energies: Tensor, real: Tensor, floor: float) -> Tensor:
    levels = 10 * energies.clamp(min=floor).log10()
    return torch.maximum(levels, _loudest(levels, real) - 80)


def _whisper(energies: Tensor, real: Tensor, floor: float) -> Tensor:
    levels = energies.clamp(min=floor).log10()
    return (torch.maximum(levels, _loudest(levels, real) - 8) + 4) / 4


def _added(energies: Tensor, real: Tensor, floor: float) -> Tensor:
    return (energies + floor).log10()


def _replaced(energies: Tensor, real: Tensor, floor: float) -> Tensor:
    return energies.masked_fill(energies == 0, floor).log()


_LOGARITHMS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "decibel": _decibel,
    "whisper": _whisper,
    "added": _added,
    "replaced": _replaced,
}


class Spectral(nn.Module):
    """One definition, computed in float32 (float64 for a float64 waveform), autocast or not."""

    taper: Tensor
    bank: Tensor
    transform: Tensor | None

    def __init__(self, definition: Definition):
        super().__init__()
        self.definition = definition
        bank, transform = filter_bank(definition), None
        if definition.coefficients is not None:
            transform = cosine_transform(definition.filters, definition.coefficients)
        if definition.energy:
            bank, transform = _with_energy(bank, transform, definition.fft)
        self.dim = (definition.coefficients or definition.filters) * (1 + definition.deltas)
        beyond = definition.fft - definition.window  # zeros here are quicker than padded frames
        self._constant("taper", F.pad(_taper(definition), (0, beyond)))
        self._constant("bank", bank)
        self._constant("transform", transform)

    def _constant(self, name: str, values: Tensor | None) -> None:
        values = None if values is None else values.float()
        self.register_buffer(name, values, persistent=False)

    def counts(self, lengths: Sizes) -> Sizes:
        """Samples (any shape), or a number of them -> frames, at least 1."""
        definition = self.definition
        if definition.padding == "tail":
            # Nothing negative is divided: exported graphs round that towards zero.
            behind = at_least(lengths - definition.window + definition.hop - 1, 0)
            frames = 1 + behind // definition.hop
        else:
            frames = lengths // definition.hop + (not definition.drop_last_frame)
        return at_least(frames, 1)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, T, dim): static coefficients, then their deltas."""
        if waveform.dtype not in (torch.float32, torch.float64):
            waveform = waveform.float()
        lengths = full_lengths(waveform) if lengths is None else lengths.to(waveform.device)
        with torch.autocast(waveform.device.type, enabled=False):
            parts = [self._static(waveform, lengths)]
            counts = self.counts(lengths)
            for _ in range(self.definition.deltas):
                parts.append(delta(parts[-1], counts, self.definition.delta_window))
            return torch.cat(parts, dim=-1)

    def _static(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        frames = self._frames(waveform, lengths)
        power = power_spectrum(frames * self.taper.to(frames), self.definition.fft)
        energies = power @ self.bank.to(power)
        real = mask_of(self.counts(lengths), frames.shape[1])[..., None]
        levels = _LOGARITHMS[self.definition.log](energies, real, self.definition.floor)
        return levels if self.transform is None else levels @ self.transform.to(levels)

    def _frames(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """(B, S) -> (B, T, fft): windows, and what is behind them up to the length of the FFT."""
        definition, samples = self.definition, waveform.shape[1]
        num_frames = self.counts(samples)
        total = (num_frames - 1) * definition.hop + definition.fft
        left = 0 if definition.padding == "tail" else definition.window // 2
        if definition.pre_emphasis:
            before = F.pad(waveform[:, :-1], (1, 0))
            waveform = waveform - definition.pre_emphasis * before
        if definition.padding == "reflect":
            padded = reflect(waveform, lengths, left, total)
        else:
            padded = F.pad(zero_beyond(waveform, lengths), (left, total - left - samples))
        return padded.unfold(1, definition.fft, definition.hop)


def _with_energy(bank: Tensor, transform: Tensor | None, fft: int) -> tuple[Tensor, Tensor]:
    """A column for the mean power, passed through in the place of coefficient 0."""
    if transform is None:
        raise ValueError("energy takes the place of coefficient 0; give a number of coefficients")
    transform = F.pad(transform, (0, 0, 0, 1))
    transform[:, 0] = 0
    transform[-1, 0] = 1
    return torch.cat([bank, torch.full_like(bank[:, :1], 1 / fft)], dim=1), transform
