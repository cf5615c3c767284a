"""Classical spectra as an audio view: LFCC, MFCC and log-mel, in their published definitions.

They have no weights. Each needs only its name; every number can be changed.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from amsdf.audio.signal.features import (
    AIR_LFCC,
    EMOTION_LOGMEL,
    NII_LFCC,
    TORCHAUDIO_LFCC,
    TORCHAUDIO_MFCC,
    WHISPER_LOGMEL,
    Definition,
    Spectral,
)
from amsdf.audio.signal.padding import fit_frames, full_lengths
from amsdf.contracts import Encoder
from amsdf.registry import nearest

LFCC = {"air": AIR_LFCC, "nii": NII_LFCC, "torchaudio": TORCHAUDIO_LFCC}
LOGMEL = {"whisper": WHISPER_LOGMEL, "emotion": EMOTION_LOGMEL}


class _SpectralEncoder(Encoder):
    """Frames of one definition as nodes, all of them or a fixed number.

    Nodes have the type that the encoder was cast to, as if it had weights; they are computed in
    float32 or better.
    """

    def __init__(self, definition: Definition, frames: int | None):
        super().__init__()
        if frames is not None and frames < 1:
            raise ValueError(f"frames is {frames}; give a number of frames, or nothing for all")
        self.spectral = Spectral(definition)
        self.frames = frames
        self.dim = self.spectral.dim

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D): static coefficients, deltas and double deltas side by side."""
        lengths = full_lengths(waveform) if lengths is None else lengths.to(waveform.device)
        own = self.spectral.taper.dtype
        features = self.spectral(waveform.to(torch.promote_types(waveform.dtype, own)), lengths)
        if self.frames is not None:
            features = fit_frames(features, self.spectral.counts(lengths), self.frames)
        return features.to(own)

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Frames (B,) of clips of `lengths` (B,) samples."""
        counts = self.spectral.counts(lengths)
        return counts if self.frames is None else counts.new_full(counts.shape, self.frames)


class LFCCEncoder(_SpectralEncoder):
    """Linear-frequency cepstral coefficients.

    Args:
        definition: `air`: the MATLAB form of the ASVspoof baselines and AIR-ASVspoof; `nii`: its
            centred Python port, as in HM-Conformer; `torchaudio`: as in the Whisper studies.
        coefficients: Coefficients kept; by default 20, of `torchaudio` 128.
        filters: Number of filters; by default as many as coefficients.
        energy: The log energy of the frame in the place of coefficient 0.
        deltas: 0 none, 1 delta, 2 delta and double delta.
        delta_window: Frames under the regression line; by default 400 of `torchaudio`, while the
            others take the next minus the previous frame.
        window: Samples in a frame; by default 320, of `torchaudio` 400.
        hop: Samples from frame to frame.
        fft: Length of the Fourier transform.
        frames: Fixed number of frames, by cutting or repeating: 750 in AIR-ASVspoof.
    """

    def __init__(
        self,
        *,
        definition: Literal["air", "nii", "torchaudio"] = "air",
        coefficients: int | None = None,
        filters: int | None = None,
        energy: bool = False,
        deltas: int = 2,
        delta_window: int | None = None,
        window: int | None = None,
        hop: int = 160,
        fft: int = 512,
        frames: int | None = None,
    ):
        base = _published(LFCC, definition)
        kept = coefficients or base.coefficients
        changed = replace(
            base,
            coefficients=kept,
            filters=filters or kept or base.filters,
            energy=energy,
            deltas=deltas,
            delta_window=delta_window or base.delta_window,
            window=window or base.window,
            hop=hop,
            fft=fft,
        )
        super().__init__(changed, frames)


class MFCCEncoder(_SpectralEncoder):
    """Mel-frequency cepstral coefficients, torchaudio's definition as in the Whisper studies.

    Args:
        coefficients: Coefficients kept.
        filters: Number of mel filters; by default as many as coefficients.
        deltas: 0 none, 1 delta, 2 delta and double delta.
        delta_window: Frames under the regression line; the studies took 400, which is four seconds.
        window: Samples in a frame.
        hop: Samples from frame to frame.
        fft: Length of the Fourier transform.
        frames: Fixed number of frames, by cutting or repeating: 3000 in the Whisper studies.
    """

    def __init__(
        self,
        *,
        coefficients: int = 128,
        filters: int | None = None,
        deltas: int = 2,
        delta_window: int = 400,
        window: int = 400,
        hop: int = 160,
        fft: int = 512,
        frames: int | None = None,
    ):
        changed = replace(
            TORCHAUDIO_MFCC,
            coefficients=coefficients,
            filters=filters or coefficients,
            deltas=deltas,
            delta_window=delta_window,
            window=window,
            hop=hop,
            fft=fft,
        )
        super().__init__(changed, frames)


class LogMelEncoder(_SpectralEncoder):
    """Log energies of mel filters.

    Args:
        definition: `whisper`: Whisper's input, without its padding to 30 s; `emotion`: the log
            filter bank of python_speech_features that the ACRNN emotion network takes.
        filters: Number of mel filters; by default 80 (large Whisper models: 128), of `emotion` 40.
        deltas: 0 none, 1 delta, 2 delta and double delta.
        delta_window: Frames under the regression line.
        window: Samples in a frame.
        hop: Samples from frame to frame.
        frames: Fixed number of frames, by cutting or repeating.
    """

    def __init__(
        self,
        *,
        definition: Literal["whisper", "emotion"] = "whisper",
        filters: int | None = None,
        deltas: int = 0,
        delta_window: int = 5,
        window: int = 400,
        hop: int = 160,
        frames: int | None = None,
    ):
        base = _published(LOGMEL, definition)
        changed = replace(
            base,
            filters=filters or base.filters,
            deltas=deltas,
            delta_window=delta_window,
            window=window,
            hop=hop,
        )
        super().__init__(changed, frames)


def _published(definitions: dict[str, Definition], name: str) -> Definition:
    if name not in definitions:
        raise ValueError(
            f"no definition named {name!r}.{nearest(name, definitions)} "
            f"Available: {', '.join(definitions)}"
        )
    return definitions[name]
