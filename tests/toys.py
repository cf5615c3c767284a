"""Small things that several tests need: a made-up corpus, an experiment that trains in a second."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amsdf.config import Experiment, merge
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.detector.storage import checkpoint
from amsdf.detector.storage.pretrained import find_pretrained
from amsdf.training.plan import Plan

RATE = 16_000


def write_wav(path: Path, waveform: np.ndarray, rate: int = RATE) -> Path:
    """16-bit mono PCM, written by the standard library so that tests do not trust our writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((waveform.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return path


def tone(pitch: float, seconds: float = 1.0, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """A harmonic tone in noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 6))
    return 0.2 * harmonics + noise * np.random.default_rng(seed).standard_normal(len(time))


def toy_corpus(folder: Path, clips: int = 8, seed: int = 0) -> Path:
    """`clips` noisy (bona fide) and clean (spoof) tones in train, dev and eval; easy to tell."""
    rng = np.random.default_rng(seed)
    lines = ["utt,path,label,attack,speaker,split"]
    for split in ("train", "dev", "eval"):
        for index in range(clips):
            for label, noise in (("bonafide", 0.1), ("spoof", 0.004)):
                utt = f"{split}_{index}_{label}"
                pitch, length = rng.uniform(90, 250), rng.uniform(0.7, 1.3)
                write_wav(
                    folder / "audio" / f"{utt}.wav",
                    tone(pitch, length, noise, seed=int(rng.integers(1 << 30))),
                )
                attack = "-" if label == "bonafide" else f"A0{index % 2 + 1}"
                lines.append(f"{utt},audio/{utt}.wav,{label},{attack},{split}_s{index % 3},{split}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def toy_manifest(folder: Path, split: str, clips: int = 8) -> Manifest:
    """One split of the toy corpus."""
    if not (folder / "manifest.csv").exists():
        toy_corpus(folder, clips)
    return read_manifest(folder).select(split)


TOY: dict[str, Any] = {
    "name": "toy",
    "views": {
        "audio": {"encoder": "lfcc", "coefficients": 12},
        "text": {
            "encoder": "xlsr",
            "hidden": 16,
            "layers_count": 1,
            "heads": 2,
            "ffn": 32,
            "conv_dims": [8] * 7,
            "pos_kernel": 4,
            "pos_groups": 2,
        },
    },
    # Both differ between training and evaluation, so that a missing eval() shows.
    "head": {"name": "pool-linear", "dropout": 0.2, "norm": True},
    "loss": {"name": "oc-softmax"},
    "clip": {"samples": 8000},
    "train": {"corpora": ["toy/train"], "epochs": 3, "batch_size": 4, "learning_rate": 0.003},
    "dev": ["toy/dev"],
    "seed": 7,
}


#: Without what draws in training or depends on how clips are batched: for tests of equal numbers.
PLAIN: dict[str, Any] = {"head": {"dropout": 0.0, "norm": False}}


def toy_experiment(**changes: Any) -> Experiment:
    """The toy experiment with some keys changed."""
    return Experiment.parse(merge(TOY, changes))


def plan(root: Path, folder: str, resume: bool = False, **changes) -> Plan:
    """A plan over the toy corpus below `root`."""
    given = {
        "folder": root / folder,
        "train": toy_manifest(root / "toy", "train"),
        "dev": [toy_manifest(root / "toy", "dev")],
        "find_pretrained": find_pretrained,
        "resume": resume,
        "progress": False,
    }
    return Plan(**{**given, **changes})


def same_weights(one: Path, other: Path) -> bool:
    """Whether two detector folders hold the same bits."""
    first, second = checkpoint.read_weights(one), checkpoint.read_weights(other)
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) for key in first
    )


class StopsAt:
    """An augmentation that changes nothing and ends the training at the n-th clip."""

    copies, keeps_original = 1, False

    def __init__(self, clips: int):
        self.left = clips

    def __call__(self, waveform, rng):
        self.left -= 1
        if not self.left:
            raise ValueError("stopped here")
        return waveform
