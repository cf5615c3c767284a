"""Faults to plant in a clean corpus, one at a time.

A fault changes the clips in place. `kinds` are what the check must name; one is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import soxr
from made_corpus import RATE, Clip
from scipy.signal import butter, sosfilt

# What is done to a clip


def _wave(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Clip], None]:
    def apply(clip: Clip) -> None:
        clip.wave = change(clip.wave)

    return apply


def _set(**values: object) -> Callable[[Clip], None]:
    def apply(clip: Clip) -> None:
        for name, value in values.items():
            setattr(clip, name, value)

    return apply


def _half_rate(clip: Clip) -> None:
    clip.wave, clip.rate = soxr.resample(clip.wave, RATE, RATE // 2), RATE // 2


def _gap(wave: np.ndarray) -> np.ndarray:
    wave = wave.copy()
    loudest = int(np.argmax(np.convolve(wave**2, np.ones(800), "same")))
    wave[max(1, loudest - 400) : loudest + 400] = 0
    return wave


def _low_pass(wave: np.ndarray) -> np.ndarray:
    return sosfilt(butter(12, 5_000, fs=RATE, output="sos"), wave)


def _one_level(wave: np.ndarray) -> np.ndarray:
    return 0.05 * wave / wave.std()


def _clip(wave: np.ndarray) -> np.ndarray:
    return np.clip(20 * wave, -1, 1)


SILENCE = np.zeros(RATE // 4)
#: Changes of all fakes, or of all real clips: a shortcut.
OF_A_CLASS: dict[str, tuple[str, Callable[[Clip], None], tuple[str, ...]]] = {
    "fakes end with silence": (
        "fake",
        _wave(lambda w: np.append(w, SILENCE)),
        ("trailing-silence",),
    ),
    "fakes begin with silence": (
        "fake",
        _wave(lambda w: np.append(SILENCE, w)),
        ("leading-silence",),
    ),
    "real clips begin with silence": (
        "real",
        _wave(lambda w: np.append(SILENCE, w)),
        ("leading-silence",),
    ),
    "fakes hold gaps": ("fake", _wave(_gap), ("zero-gap",)),
    "fakes have an offset": ("fake", _wave(lambda w: w + 0.01), ("dc-offset",)),
    "fakes are stereo": ("fake", _wave(lambda w: np.stack([w, w], 1)), ("channels",)),
    "fakes have another rate": ("fake", _half_rate, ("sample-rate",)),
    "fakes are flac": ("fake", _set(suffix=".flac"), ("format",)),
    "fakes are floats": ("fake", _set(subtype="FLOAT"), ("format",)),
    "real clips are ogg": ("real", _set(suffix=".ogg"), ("format",)),
    "fakes are quieter": ("fake", _wave(lambda w: w / 3), ("level",)),
    "fakes have one level": ("fake", _wave(_one_level), ("level",)),
    "fakes have no high frequencies": ("fake", _wave(_low_pass), ("bandwidth",)),
    "fakes are longer": ("fake", _wave(lambda w: np.append(w, w[: len(w) // 2])), ("duration",)),
    "fakes have one length": ("fake", _wave(lambda w: w[: int(0.8 * RATE)]), ("duration",)),
    "fakes are clipped": ("fake", _wave(_clip), ("clipped-share",)),
}


def _first(count: int, apply: Callable[[Clip], None]) -> Callable[[list[Clip]], None]:
    def plant(clips: list[Clip]) -> None:
        for clip in clips[2 : 2 + count]:
            apply(clip)

    return plant


def _copy(of: int, apply: Callable[[Clip], None], **values: object) -> Callable[[list[Clip]], None]:
    """One more clip: a copy of another one, changed."""

    def plant(clips: list[Clip]) -> None:
        copied = replace(clips[of], **({"utt": "copy"} | values))
        apply(copied)
        clips.append(copied)

    return plant


def _each(apply: Callable[[Clip, int], None]) -> Callable[[list[Clip]], None]:
    def plant(clips: list[Clip]) -> None:
        for number, clip in enumerate(clips):
            apply(clip, number)

    return plant


def _speaker_is_class(clip: Clip, number: int) -> None:
    clip.speaker = f"{clip.split}-{clip.label}-{number % 4}"


def _source_is_class(clip: Clip, _: int) -> None:
    clip.source = "page" if clip.label == "fake" else "studio"


def _some_source_is_class(clip: Clip, number: int) -> None:
    if clip.label == "fake" and number < 16:
        clip.source = "page"


def _bob(clip: Clip, number: int) -> None:
    clip.speaker = {"train-0": ("Bob", "bob")[number // 8 % 2]}.get(clip.speaker, clip.speaker)


def _bob_in_both(clip: Clip, _: int) -> None:
    clip.speaker = {"train-0": "Bob", "eval-0": "bob "}.get(clip.speaker, clip.speaker)


def _in_folders(clip: Clip, number: int) -> None:
    clip.folder = {"real": "real", "fake": "fake"}[clip.label]
    if number == 3:
        clip.folder = "real"


def _as_is(_: Clip) -> None:
    """No change."""


@dataclass(frozen=True)
class Fault:
    """What is planted, what the check must name, and whether that is a problem."""

    name: str
    plant: Callable[[list[Clip]], None]
    kinds: tuple[str, ...]
    serious: bool = True
    options: dict = field(default_factory=dict)


def _of_a_class(label: str, apply: Callable[[Clip], None]) -> Callable[[list[Clip]], None]:
    def plant(clips: list[Clip]) -> None:
        for clip in clips:
            if clip.label == label:
                apply(clip)

    return plant


def _only(keep: Callable[[Clip], bool]) -> Callable[[list[Clip]], None]:
    def plant(clips: list[Clip]) -> None:
        clips[:] = [clip for clip in clips if keep(clip)]

    return plant


NAN = np.append(np.zeros(4000) + 0.1, np.nan)
FAULTS = [
    *(
        Fault(name, _of_a_class(label, apply), tuple(f"shortcut-{kind}" for kind in kinds))
        for name, (label, apply, kinds) in OF_A_CLASS.items()
    ),
    Fault("gaps in two clips", _first(2, _wave(_gap)), ("zero-gap",), False),
    Fault("an offset in two clips", _first(2, _wave(lambda w: w + 0.02)), ("dc-offset",), False),
    Fault("two clips clipped", _first(2, _wave(_clip)), ("clipped",), False),
    Fault(
        "a clip ends with silence",
        _first(1, _wave(lambda w: np.append(w, np.zeros(RATE)))),
        ("trailing-silence",),
        False,
    ),
    Fault(
        "a clip begins with silence",
        _first(1, _wave(lambda w: np.append(np.zeros(RATE), w))),
        ("leading-silence",),
        False,
    ),
    Fault(
        "a stereo clip", _first(1, _wave(lambda w: np.stack([w, w], 1))), ("mixed-channels",), False
    ),
    Fault("a clip of another rate", _first(1, _half_rate), ("mixed-sample-rate",), False),
    Fault("a clip nearly silent", _first(1, _wave(lambda w: w / 100)), ("faint",), False),
    Fault("a clip twice", _copy(0, _as_is), ("duplicate",), False),
    Fault("twice, 10 % quieter", _copy(0, _wave(lambda w: 0.9 * w)), ("near-duplicate",), False),
    Fault("twice, cut by 0.1 s", _copy(0, _wave(lambda w: w[1600:])), ("near-duplicate",), False),
    Fault(
        "twice, cut at its end", _copy(0, _wave(lambda w: w[:-1601])), ("near-duplicate",), False
    ),
    Fault("twice, as mp3", _copy(0, _set(suffix=".mp3")), ("near-duplicate",), False),
    Fault("twice, as ogg", _copy(1, _set(suffix=".ogg")), ("near-duplicate",), False),
    Fault("twice, at half the rate", _copy(1, _half_rate), ("near-duplicate",), False),
    Fault("real and fake at once", _copy(0, _set(label="fake")), ("contradiction",)),
    Fault(
        "real and, quieter, fake",
        _copy(0, _wave(lambda w: 0.8 * w), label="fake"),
        ("near-contradiction",),
    ),
    Fault("in train and eval", _copy(0, _as_is, split="eval", speaker="new"), ("shared-sound",)),
    Fault(
        "in train and, quieter, in eval",
        _copy(0, _wave(lambda w: 0.9 * w), split="eval", speaker="new"),
        ("nearly-shared-sound",),
    ),
    Fault("a speaker in train and eval", _first(1, _set(speaker="eval-1")), ("shared-speaker",)),
    Fault("Bob in train, bob in eval", _each(_bob_in_both), ("shared-speaker",)),
    Fault("Bob and bob", _each(_bob), ("speaker-spelling",), False),
    Fault("the speaker is the class", _each(_speaker_is_class), ("speaker-is-class",)),
    Fault("the source is the class", _each(_source_is_class), ("source-is-class",)),
    Fault("a source has one class", _each(_some_source_is_class), ("source-is-class",), False),
    Fault("40 samples", _first(1, _wave(lambda w: w[:40])), ("too-short",)),
    Fault("no samples", _first(1, _wave(lambda w: w[:0])), ("empty",)),
    Fault("no bytes", _first(1, _set(wave=b"")), ("unreadable",)),
    Fault("text for sound", _first(1, _set(wave=b"this is no sound")), ("unreadable",)),
    Fault("a cut-off file", _first(1, _set(cut=True)), ("unreadable",)),
    Fault("digital silence", _first(1, _wave(lambda w: 0 * w)), ("silent",)),
    Fault("NaN", _first(1, _set(wave=NAN, subtype="FLOAT")), ("not-finite",)),
    Fault("a missing file", _first(1, _set(wave=None)), ("missing",)),
    Fault(
        "no fakes in eval", _only(lambda c: (c.split, c.label) != ("eval", "fake")), ("one-class",)
    ),
    Fault(
        "no fakes at all",
        _only(lambda c: (c.split, c.label) == ("train", "real")),
        ("one-class",),
        False,
    ),
    Fault("a real clip of an attack", _first(1, _set(attack="A1")), ("attack-on-real",)),
    Fault("a fake in the folder of the real", _each(_in_folders), ("label-not-folder",)),
    Fault("fewer than published", _as_is, ("count",), options={"expected": {"made": (24, 30)}}),
]
