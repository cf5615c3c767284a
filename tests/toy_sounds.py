"""Made-up sounds that are speech, and that are not: noise, tones, plucked strings, a band."""

from collections.abc import Callable

import numpy as np
from made_up_speech import Voice, speak
from scipy.signal import lfilter
from toys import RATE

Sound = Callable[[int, np.random.Generator], np.ndarray]


def speech(seconds: float = 4.0, seed: int = 0, pitch: float = 140.0) -> np.ndarray:
    """Formant speech (S,)."""
    return speak(Voice(pitch, 1.0, 0.01, 0.04), seconds, np.random.default_rng(seed))


def noise(slope: float) -> Sound:
    """White (0), pink (1) or brown (2) noise."""

    def make(samples: int, rng: np.random.Generator) -> np.ndarray:
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        spectrum *= np.maximum(np.arange(len(spectrum)), 1) ** (-slope / 2)
        return np.fft.irfft(spectrum, samples)

    return make


def tones(*hertz: float, partials: int = 1) -> Sound:
    """Steady tones together: one, or a chord."""

    def make(samples: int, rng: np.random.Generator) -> np.ndarray:
        time = np.arange(samples) / RATE
        waves = (
            np.sin(2 * np.pi * k * h * time) / k for h in hertz for k in range(1, partials + 1)
        )
        return sum(waves) + 1e-3 * rng.standard_normal(samples)

    return make


def siren(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A whistle that glides up and down once in two seconds."""
    time = np.arange(samples) / RATE
    return np.sin(2 * np.pi * (600 * time - 64 * np.cos(np.pi * time)))


def clicks(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Five single samples a second."""
    found = np.zeros(samples)
    found[rng.integers(0, samples, 5 * samples // RATE)] = 1
    return found


def plucked(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A melody of plucked strings (Karplus and Strong, 1983), four notes a second."""
    notes = []
    for pitch in rng.choice([98, 110, 131, 147, 165, 196, 220, 262], 1 + 4 * samples // RATE):
        period = round(RATE / pitch)
        burst = np.zeros(RATE // 4)
        burst[:period] = rng.uniform(-1, 1, period)
        loop = np.zeros(period + 2)
        loop[0], loop[period:] = 1, -0.498
        notes.append(lfilter([1.0], loop, burst))
    return np.concatenate(notes)[:samples]


def drums(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Kick, snare and hat at 110 beats a minute."""
    found = np.zeros(samples + RATE)
    time = np.arange(RATE // 4) / RATE
    kick = np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-30 * time)))) * np.exp(-12 * time)
    for beat, at in enumerate(range(0, samples, 60 * RATE // 220)):
        hiss = rng.standard_normal(len(time))
        found[at : at + len(time)] += 0.2 * np.diff(hiss, prepend=0) * np.exp(-60 * time)
        if beat % 4 == 0:
            found[at : at + len(time)] += kick
        if beat % 4 == 2:
            found[at : at + len(time)] += 0.4 * hiss * np.exp(-22 * time)
    return found[:samples]


def band(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A lead and chords of saw-tooth waves with strings and drums."""
    found = 0.5 * drums(samples, rng) + plucked(samples, rng)
    length = RATE // 3
    time = np.arange(length) / RATE
    for at in range(0, samples - length, length):
        root = 110 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9]) / 12)
        for ratio in (1, 1.26, 1.5, 4):
            saw = sum(np.sin(2 * np.pi * k * ratio * root * time) / k for k in range(1, 12))
            found[at : at + length] += 0.1 * saw * np.exp(-3 * time)
    return found


def violin(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A melody of saw-tooth waves with vibrato, one note a second."""
    time = np.arange(RATE) / RATE
    notes = []
    for pitch in rng.choice([220, 247, 262, 294, 330, 392], 1 + samples // RATE):
        phase = 2 * np.pi * pitch * (time + 6e-4 * np.sin(2 * np.pi * 5.5 * time))
        notes.append(sum(np.sin(k * phase) / k for k in range(1, 18)) * np.exp(-2 * time))
    return np.concatenate(notes)[:samples]


def slide_guitar(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A lead that slides from note to note, with hi-hats, over the chords of an organ."""
    steps = rng.choice([0, 2, 4, 5, 7, 9, 12], 2 + 3 * samples // RATE)
    pitch = 165 * 2 ** (np.interp(np.arange(samples) / RATE * 3, np.arange(len(steps)), steps) / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    loud = 0.3 + np.abs(np.sin(3 * np.pi * np.arange(samples) / RATE))
    lead = loud * sum(np.sin(k * phase) / k for k in range(1, 12))
    organ = tones(220, 277, 330, partials=6)(samples, rng)
    return lead + 0.7 * organ + drums(samples, rng)


def birds(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Chirps between 1 and 5 kHz, three a second, over faint noise."""
    found = 0.01 * rng.standard_normal(samples)
    time = np.arange(RATE * 3 // 20) / RATE
    for at in range(RATE // 8, samples - len(time), RATE * 7 // 20):
        start, slope = rng.uniform(2000, 4000), rng.uniform(-4000, 4000)
        chirp = np.sin(2 * np.pi * (start * time + slope * time**2)) * np.hanning(len(time))
        found[at : at + len(time)] += chirp
    return found


#: Sounds without speech, by name.
NO_SPEECH: dict[str, Sound] = {
    "white noise": noise(0),
    "pink noise": noise(1),
    "brown noise": noise(2),
    "a tone": tones(440),
    "a hum": tones(50, partials=5),
    "a chord": tones(220, 277, 330, partials=6),
    "a siren": siren,
    "clicks": clicks,
    "plucked strings": plucked,
    "drums": drums,
    "a band": band,
    "birds": birds,
    "a violin": violin,
    "a slide guitar": slide_guitar,
}


def no_speech(name: str, seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """One of `NO_SPEECH` (S,) float32, its loudest sample at 0.5."""
    found = NO_SPEECH[name](int(seconds * RATE), np.random.default_rng(seed))
    return (0.5 * found / np.abs(found).max()).astype(np.float32)
