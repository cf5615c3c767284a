"""Made-up speech: a pulse train with natural jitter and shimmer through moving formant resonators.

Mixed with breath, fricatives, pauses, a small room and background noise (after Klatt, JASA 1980).
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, lfilter

from amsdf.audio.files.reading import SAMPLE_RATE

FRAME = 160
#: First three formants of five vowels, in hertz, of an average voice.
VOWELS = np.array(
    [[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]]
)
BANDWIDTHS = np.array([80.0, 100.0, 140.0, 220.0])


@dataclass(frozen=True)
class Voice:
    """One speaker: mean pitch in hertz, vocal-tract scale, unsteadiness, breathiness."""

    pitch: float
    tract: float
    jitter: float
    breath: float


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
