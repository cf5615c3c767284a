"""Vocoders that analyse a recording and build it again: spoofs made by copy-synthesis.

griffin-lim       phase estimated from the magnitudes (Griffin and Lim, 1984; the fast form of
                  Perraudin, Balazs and Søndergaard, 2013); built in
mel-griffin-lim   the same from 80 mel energies a frame; built in
world             Morise, Yokomori and Ozawa, 2016; needs the package `pyworld`
hifigan:FOLDER    Kong, Kim and Bae, 2020; a Hugging Face folder of `SpeechT5HifiGan`
"""

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import SpeechT5FeatureExtractor, SpeechT5HifiGan

from amsdf.audio.cropping import to_length
from amsdf.audio.signal.features import NYQUIST, htk_points, triangles
from amsdf.conventions import SAMPLE_RATE
from amsdf.registry import nearest
from amsdf.weights import digest_of_tensors

try:
    import pyworld
except ImportError as problem:  # an extra, which needs an old setuptools besides
    pyworld, why_no_pyworld = None, str(problem)

FFT_SIZE = 1024
HOP = 256


class Vocoder(Protocol):
    """Waveform (S,) -> the same length (S,), float32 at 16 kHz, the same again each time.

    `name` is what the attack is called; `identity` changes whenever the result would.
    """

    name: str
    identity: str

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """(S,) -> (S,)."""


class GriffinLim:
    """Magnitudes of the short-time spectrum kept, phases found again from a random start.

    With `mel_bands` only that many mel energies are kept, as by a synthesiser that predicts them.
    """

    def __init__(self, iterations: int = 32, momentum: float = 0.99, mel_bands: int | None = None):
        self.iterations, self.momentum = iterations, momentum
        self.name = "mel-griffin-lim" if mel_bands else "griffin-lim"
        self.identity = f"{self.name}:iterations={iterations},momentum={momentum},mel={mel_bands}"
        self.window = torch.hann_window(FFT_SIZE)
        self.bands = _bands(mel_bands) if mel_bands else None

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """(S,) -> (S,)."""
        _check_length(waveform, FFT_SIZE, self.name)
        magnitude = self._spectrum(torch.from_numpy(waveform)).abs()
        if self.bands is not None:
            through = self.bands / self.bands.sum(dim=0)  # mean of each band
            back = self.bands / self.bands.sum(dim=1, keepdim=True).clamp(min=1e-6)
            magnitude = back @ (through.T @ magnitude)
        phase = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
        guess = torch.polar(magnitude, 2 * torch.pi * phase)
        before = torch.zeros_like(guess)
        for _ in range(self.iterations):
            consistent = self._spectrum(self._waveform(guess, len(waveform)))
            ahead = consistent + self.momentum * (consistent - before)
            guess, before = torch.polar(magnitude, ahead.angle()), consistent
        return self._waveform(guess, len(waveform)).numpy()

    def _spectrum(self, waveform: torch.Tensor) -> torch.Tensor:
        return torch.stft(waveform, FFT_SIZE, HOP, window=self.window, return_complex=True)

    def _waveform(self, spectrum: torch.Tensor, length: int) -> torch.Tensor:
        return torch.istft(spectrum, FFT_SIZE, HOP, window=self.window, length=length)


def _bands(count: int) -> torch.Tensor:
    """Mel filters (FFT_SIZE // 2 + 1, count)."""
    bins = torch.linspace(0, NYQUIST, FFT_SIZE // 2 + 1, dtype=torch.float64)
    return triangles(htk_points(count + 2), bins).float()


class World:
    """Pitch, spectral envelope and aperiodicity of the WORLD vocoder."""

    name = "world"

    def __init__(self) -> None:
        if pyworld is None:
            raise ValueError(
                f"vocoder 'world' needs the package 'pyworld' ({why_no_pyworld}): "
                "pip install 'amsdf[pyworld]'"
            )
        self.identity = f"{self.name}:pyworld={pyworld.__version__}"

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """(S,) -> (S,)."""
        _check_length(waveform, FFT_SIZE, self.name)
        parts = pyworld.wav2world(waveform.astype(np.float64), SAMPLE_RATE)
        synthetic = pyworld.synthesize(*parts, SAMPLE_RATE)
        return to_length(synthetic.astype(np.float32), len(waveform))


class HiFiGAN:
    """A HiFi-GAN generator on SpeechT5's log-mel spectrogram (80 bands, 16 ms apart).

    Args:
        folder: A Hugging Face folder of `SpeechT5HifiGan`, such as microsoft/speecht5_hifigan.
        device: Where it runs.
    """

    name = "hifigan"

    def __init__(self, folder: Path, device: str = "cpu"):
        self.extractor = SpeechT5FeatureExtractor()
        generator = _load_hifigan(folder, self.extractor.num_mel_bins)
        self.identity = f"{self.name}:weights={digest_of_tensors(generator.state_dict())}"
        try:
            self.generator = generator.to(device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device {device!r}: {str(error).splitlines()[0]}") from None
        self.device = device

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """(S,) -> (S,)."""
        _check_length(waveform, FFT_SIZE, self.name)
        features = self.extractor(audio_target=waveform, sampling_rate=SAMPLE_RATE)
        log_mel = torch.as_tensor(np.asarray(features["input_values"][0], dtype=np.float32))
        with torch.inference_mode():
            synthetic = self.generator(log_mel.to(self.device))
        return to_length(synthetic.cpu().numpy(), len(waveform))


def _load_hifigan(folder: Path, num_mels: int) -> torch.nn.Module:
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: is not a Hugging Face folder, it has no config.json")
    try:
        # the type annotations of transformers do not know of the report
        loaded: Any = SpeechT5HifiGan.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, SafetensorError, UnpicklingError) as error:
        raise ValueError(f"{folder}: cannot be read: {str(error).splitlines()[0]}") from None
    generator, report = loaded
    wrong = sorted(
        str(key)
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        for key in report[kind]
    )
    if wrong:
        raise ValueError(f"{folder}: weights are not those of SpeechT5HifiGan: {', '.join(wrong)}")
    config = generator.config
    given = (config.model_in_dim, config.sampling_rate, int(np.prod(config.upsample_rates)))
    if given != (num_mels, SAMPLE_RATE, HOP):
        raise ValueError(
            f"{folder}: takes {given[0]} bands at {given[1]} Hz, {given[2]} samples apart; "
            f"SpeechT5's are {num_mels} at {SAMPLE_RATE}, {HOP} apart"
        )
    return generator.eval()


def _check_length(waveform: np.ndarray, samples: int, name: str) -> None:
    if len(waveform) < samples:
        raise ValueError(f"{len(waveform)} samples are too few for {name}; it takes {samples}")


def build_vocoder(description: str, device: str = "cpu") -> Vocoder:
    """A vocoder from `griffin-lim`, `mel-griffin-lim`, `world` or `hifigan:FOLDER`."""
    name, _, folder = description.partition(":")
    makers: dict[str, Callable[[], Vocoder]] = {
        "griffin-lim": GriffinLim,
        "mel-griffin-lim": lambda: GriffinLim(mel_bands=80),
        "world": World,
        "hifigan": lambda: HiFiGAN(Path(folder), device),
    }
    if name not in makers:
        raise ValueError(
            f"no vocoder named {name!r}.{nearest(name, makers)} "
            "Available: griffin-lim, mel-griffin-lim, world, hifigan:FOLDER"
        )
    if bool(folder) != (name == "hifigan"):
        raise ValueError(
            f"vocoder {description!r}: "
            + ("takes no folder" if folder else "needs its folder, hifigan:FOLDER")
        )
    return makers[name]()
