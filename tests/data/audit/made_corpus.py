"""A small clean corpus of made-up speech, in memory until it is written."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from sound_files import cut_off
from toy_sounds import speech

from amsdf.data.manifest import Manifest, build_manifest

RATE = 16_000


@dataclass
class Clip:
    """A row of the manifest and its sound (S,) or (S, channels), or the bytes of its file."""

    utt: str
    label: str
    speaker: str
    split: str
    wave: np.ndarray | bytes | None
    attack: str = "-"
    source: str = "studio"
    rate: int = RATE
    suffix: str = ".wav"
    subtype: str | None = None
    folder: str = "audio"
    cut: bool = False


def clean(seconds: float = 0.8) -> list[Clip]:
    """16 real and 16 fake clips to train on and 8 and 8 to test on, of different speakers."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(48):
        label = ("real", "fake")[number % 2]
        split = "train" if number < 32 else "eval"
        length = round((seconds + 0.4 * rng.random()) * 100) / 100
        wave = speech(length, seed=number, pitch=rng.uniform(90, 220))
        wave = 0.05 * rng.uniform(0.7, 1.4) * wave / wave.std()
        wave = wave + rng.uniform(0.8, 1.2) * 1e-3 * rng.standard_normal(len(wave))
        speaker = f"{split}-{number // 2 % 4}"
        attack = "-" if label == "real" else f"A{number % 3}"
        found.append(Clip(f"u{number:02}", label, speaker, split, np.clip(wave, -0.9, 0.9), attack))
    return found


def write(folder: Path, clips: list[Clip], name: str = "made") -> Manifest:
    """The files, and the manifest that lists them."""
    for clip in clips:
        path = folder / clip.folder / f"{clip.utt}{clip.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(clip.wave, bytes):
            path.write_bytes(clip.wave)
        elif clip.wave is not None:
            soundfile.write(path, clip.wave, clip.rate, subtype=clip.subtype)
        if clip.cut:
            cut_off(path)
    columns = ("utt", "label", "speaker", "split", "attack", "source")
    table = {column: [getattr(clip, column) for clip in clips] for column in columns}
    paths = [str(folder / clip.folder / f"{clip.utt}{clip.suffix}") for clip in clips]
    return build_manifest(name, pl.DataFrame(table | {"path": paths}))
