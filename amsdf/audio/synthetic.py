"""Small made-up speech corpora, for the demo and for tests: formant speech against its copies.

A voice is a pulse train with natural jitter and shimmer through moving formant resonators, mixed
with breath, fricatives, pauses, a small room and background noise (after Klatt, JASA 1980). A fake
is a copy of such a recording by a vocoder, as in copy-synthesis corpora: same words, same voice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from scipy.linalg import solve_toeplitz
from scipy.signal import fftconvolve, lfilter
from tqdm import tqdm

from amsdf.audio.reading import SAMPLE_RATE
from amsdf.files import write_atomically

FRAME = 160
#: First three formants of five vowels, in hertz, of an average voice.
VOWELS = np.array(
    [[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]]
)
BANDWIDTHS = np.array([80.0, 100.0, 140.0, 220.0])
Vocoder = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Voice:
    """One speaker: mean pitch in hertz, vocal-tract scale, unsteadiness, breathiness."""

    pitch: float
    tract: float
    jitter: float
    breath: float


def draw_voice(rng: np.random.Generator, pitch: tuple[float, float]) -> Voice:
    """A random speaker with a pitch in a range."""
    return Voice(
        rng.uniform(*pitch),
        rng.uniform(0.85, 1.2),
        rng.uniform(0.006, 0.015),
        rng.uniform(0.02, 0.06),
    )


def speak(voice: Voice, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """An utterance of one voice -> (S,) float32 at 16 kHz."""
    frames = int(seconds * SAMPLE_RATE) // FRAME
    formants, voiced, hiss = _plan(frames, rng)
    samples = frames * FRAME
    loudness = np.repeat(_smooth(voiced), FRAME)
    source = _pulses(voice, samples, rng) + voice.breath * rng.standard_normal(samples)
    vowels = _resonate(source * loudness, formants * voice.tract)
    fricatives = _hiss(np.repeat(_smooth(hiss), FRAME), rng)
    speech = vowels / (np.abs(vowels).max() + 1e-9) + 0.25 * fricatives
    return _record(speech, rng)


def _plan(frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per frame: formants (frames, 3), loudness of the voice, loudness of the hiss."""
    targets, voiced, hiss = np.zeros((frames, 3)), np.zeros(frames), np.zeros(frames)
    start = 0
    while start < frames:
        kind = rng.choice(3, p=[0.62, 0.23, 0.15])  # vowel, fricative, pause
        end = min(frames, start + int(rng.integers(7, 22)))
        targets[start:end] = VOWELS[rng.integers(len(VOWELS))] * rng.uniform(0.93, 1.07, 3)
        voiced[start:end] = rng.uniform(0.5, 1.0) if kind == 0 else 0.0
        hiss[start:end] = rng.uniform(0.4, 1.0) if kind == 1 else 0.0
        start = end
    return np.stack([_smooth(column, 9) for column in targets.T], axis=1), voiced, hiss


def _smooth(values: np.ndarray, width: int = 5) -> np.ndarray:
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def _pulses(voice: Voice, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A glottal pulse train whose periods and heights are never quite the same."""
    train = np.zeros(samples)
    position, drift = 0.0, 0.0
    while position < samples:
        train[int(position)] = 1 + 0.06 * rng.standard_normal()
        drift = 0.97 * drift + 0.012 * rng.standard_normal()
        fall = 1.12 - 0.24 * position / samples
        pitch = voice.pitch * fall * (1 + drift) * (1 + voice.jitter * rng.standard_normal())
        position += SAMPLE_RATE / max(pitch, 50)
    return lfilter([1, -1], [1, -1.8, 0.81], train)


def _resonate(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """A cascade of resonators that move with the frame; the fourth stays at 3.5 kHz."""
    out = source
    tracks = np.column_stack([formants, np.full(len(formants), 3500.0)])
    for track, bandwidth in zip(tracks.T, BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        angles = 2 * np.pi * np.minimum(track, 7500) / SAMPLE_RATE
        state, parts = np.zeros(2), []
        for angle, part in zip(angles, out.reshape(-1, FRAME), strict=True):
            poles = [1, -2 * radius * np.cos(angle), radius**2]
            filtered, state = lfilter([1 - radius], poles, part, zi=state)
            parts.append(filtered)
        out = np.concatenate(parts)
    return out


def _hiss(loudness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle = 2 * np.pi * rng.uniform(3500, 6000) / SAMPLE_RATE
    noise = lfilter([1, -1], [1, -1.5 * np.cos(angle), 0.6], rng.standard_normal(len(loudness)))
    return loudness * noise / np.abs(noise).max()


def _record(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small room and background noise 30 to 45 dB down, at a random level."""
    decay = np.exp(-np.arange(1600) / rng.uniform(150, 400))
    room = 0.05 * decay * rng.standard_normal(1600)
    room[0] = 1.0
    wet = fftconvolve(speech, room)[: len(speech)]
    noise = np.cumsum(rng.standard_normal(len(wet)))
    noise = lfilter([1, -1], [1, -0.95], noise) + 0.3 * rng.standard_normal(len(wet))
    noise *= wet.std() / noise.std() * 10 ** (-rng.uniform(30, 45) / 20)
    mixed = wet + noise
    return (mixed / np.abs(mixed).max() * rng.uniform(0.3, 0.9)).astype(np.float32)


def lpc_vocoder(
    waveform: np.ndarray, rng: np.random.Generator, order: int = 18, hop: int = 160
) -> np.ndarray:
    """Linear prediction with the residual replaced by even pulses or noise -> (S,)."""
    window = np.hanning(2 * hop)
    padded = np.pad(waveform.astype(np.float64), (hop, 2 * hop))
    out, phase = np.zeros(len(padded)), 0.0
    for start in range(0, len(waveform) + hop, hop):
        frame = padded[start : start + 2 * hop] * window
        power = np.correlate(frame, frame, "full")[2 * hop - 1 :]
        power[0] = power[0] * 1.0001 + 1e-9
        predictor = solve_toeplitz(power[:order], power[1 : order + 1])
        gain = np.sqrt(max(power[0] - predictor @ power[1 : order + 1], 1e-12))
        period, voiced = _period(power)
        if voiced:
            pulses = np.zeros(2 * hop)
            pulses[int(phase) :: period] = np.sqrt(period)
            phase = (phase - hop) % period
        else:
            pulses = rng.standard_normal(2 * hop)
        voice = lfilter([gain / np.sqrt(2 * hop) * 1.6], np.r_[1, -predictor], pulses)
        out[start : start + 2 * hop] += voice * window
    return _match(out[hop : hop + len(waveform)], waveform)


def _period(power: np.ndarray) -> tuple[int, bool]:
    """The pitch period in samples, and whether the frame is voiced."""
    lags = power[40:260] / power[0]
    return int(lags.argmax()) + 40, bool(lags.max() > 0.35)


def _match(copy: np.ndarray, original: np.ndarray) -> np.ndarray:
    """The copy at the level of the original, so that loudness gives nothing away."""
    return (copy * (original.std() / (copy.std() + 1e-9))).clip(-1, 1).astype(np.float32)


@dataclass(frozen=True)
class CorpusPlan:
    """A made-up corpus: its name, its speakers, the vocoders that fake it."""

    name: str
    pitch: tuple[float, float]
    vocoders: dict[str, Vocoder]
    clips: int = 60
    seconds: float = 2.0
    seed: int = 0


def make_corpus(folder: Path, plan: CorpusPlan, progress: bool = True) -> Path:
    """Write audio and `manifest.csv` with speaker-disjoint train, dev and eval; once."""
    manifest = folder / "manifest.csv"
    if manifest.exists():
        return manifest
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, ...]] = []
    for index in tqdm(range(plan.clips), desc=f"making {plan.name}", disable=not progress):
        rows += _make_clip(folder, plan, index)
    columns = ["utt", "path", "label", "attack", "speaker", "split"]
    table = pl.DataFrame(rows, schema=columns, orient="row")
    write_atomically(manifest, table.write_csv)
    return manifest


def _make_clip(folder: Path, plan: CorpusPlan, index: int) -> list[tuple[str, ...]]:
    """One utterance and its copy; twelve speakers in turn: six train, three dev, three eval."""
    speaker = index % 12
    voice = draw_voice(np.random.default_rng((plan.seed, 1, speaker)), plan.pitch)
    rng = np.random.default_rng((plan.seed, 2, index))
    original = speak(voice, plan.seconds * rng.uniform(0.8, 1.2), rng)
    attack = list(plan.vocoders)[index // 12 % len(plan.vocoders)]
    copy = plan.vocoders[attack](original, rng)
    split = "train" if speaker < 6 else "dev" if speaker < 9 else "eval"
    name = f"{plan.name}_{index:03d}"
    rows: list[tuple[str, ...]] = []
    for utt, waveform, label, kind in (
        (name, original, "bonafide", "-"),
        (f"{name}_{attack}", copy, "spoof", attack),
    ):
        path = f"audio/{utt}.flac"
        soundfile.write(folder / path, waveform, SAMPLE_RATE, subtype="PCM_16")
        rows.append((utt, path, label, kind, f"{plan.name}_s{speaker:02d}", split))
    return rows
