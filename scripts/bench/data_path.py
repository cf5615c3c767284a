"""Files to features: our data path beside a clip at a time by librosa, python_speech_features.

Both decode, resample to 16 kHz, fit to 4.04 s and compute features, on one thread, in processor
time. Log-mel energies with two deltas are the input of the ACRNN emotion network, as its authors
compute it: both ways give the same numbers. The MFCC are as many as in the OC-Softmax study, with
its deltas over 399 frames; python_speech_features defines them a little differently.

    pip install 'amsdf[bench]'
    python scripts/bench/data_path.py
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy reads it

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from _paired import Pairs, compare, flags, report

from amsdf.audio.cropping import fit
from amsdf.cli.process import keep_freed_memory
from amsdf.config import Clip
from amsdf.contracts import Encoder
from amsdf.data.dataset import Clips, clip_loader
from amsdf.data.manifest import read_manifest
from encoders.spectral import LogMelEncoder, MFCCEncoder

try:
    import librosa
    import python_speech_features as speech_features
except ImportError as missing:
    sys.exit(f"{missing}: pip install 'amsdf[bench]' installs what this is compared with")

CLIP = Clip(samples=64_600)
FILES, BATCH = 32, 16
Kind = tuple[int, str, str]
#: Rate and suffix of the recordings, and how librosa resamples them: by soxr as we do, since its
#: version 0.10, and by resampy before.
NOW, BEFORE = "soxr_hq", "kaiser_best"
KINDS: tuple[Kind, ...] = (
    (16_000, ".wav", NOW),
    (16_000, ".flac", NOW),
    (24_000, ".wav", NOW),
    (44_100, ".wav", NOW),
    (44_100, ".flac", NOW),
    (24_000, ".wav", BEFORE),
    (44_100, ".wav", BEFORE),
)

Features = Callable[[np.ndarray], np.ndarray]


def with_deltas(static: np.ndarray, width: int) -> np.ndarray:
    """(T, D) -> (T, 3 D)."""
    delta = speech_features.delta(static, width)
    return np.concatenate([static, delta, speech_features.delta(delta, width)], axis=1)


def logmel(waveform: np.ndarray) -> np.ndarray:
    """(S,) -> (T, 120)."""
    return with_deltas(speech_features.logfbank(waveform, 16_000, nfilt=40), 2)


def mfcc(waveform: np.ndarray) -> np.ndarray:
    """(S,) -> (T, 384)."""
    return with_deltas(speech_features.mfcc(waveform, 16_000, numcep=128, nfilt=128), 199)


#: What is computed: the plain way, and ours.
FEATURES: dict[str, tuple[Features, Encoder]] = {
    "log-mel": (logmel, LogMelEncoder(definition="emotion", deltas=2)),
    "MFCC": (mfcc, MFCCEncoder()),
}


def write(folder: Path, rate: int, suffix: str) -> None:
    """Recordings of 4.5 to 9 s, as in the usual corpora: a gliding pitch in noise."""
    rng = np.random.default_rng(0)
    for number, seconds in enumerate(np.linspace(4.5, 9, FILES)):
        time = np.arange(int(seconds * rate)) / rate
        sound = 0.3 * np.sin(900 * time + 50 * np.sin(3 * time))
        sound += 0.05 * rng.standard_normal(len(time)) * (1.1 + np.sin(time))
        soundfile.write(folder / f"{number:02}{suffix}", sound, rate)


def plain(paths: list[Path], features: Features, resampler: str) -> Iterator[np.ndarray]:
    """A clip at a time."""
    for path in paths:
        waveform, _ = librosa.load(path, sr=16_000, res_type=resampler)
        yield features(fit(waveform, CLIP, CLIP.samples))


@torch.inference_mode()
def ours(clips: Clips, encoder: Encoder) -> Iterator[torch.Tensor]:
    """A batch at a time, by the loader that trains and scores."""
    batches = [[(0, row) for row in range(at, at + BATCH)] for at in range(0, len(clips), BATCH)]
    for batch in clip_loader(clips, batches):
        yield encoder(batch.waveform)


def measure(folder: Path, kind: Kind, features: str, runs: int) -> Pairs:
    """Both ways on all recordings of a kind."""
    rate, suffix, resampler = kind
    by_clip, encoder = FEATURES[features]
    manifest = read_manifest(folder, labelled=False)
    clips, paths = Clips(manifest, CLIP), [Path(path) for path in manifest.table["path"]]
    both = partial(plain, paths, by_clip, resampler), partial(ours, clips, encoder)
    if features == "log-mel" and resampler == NOW:
        one, other = np.stack(list(both[0]())), torch.cat(list(both[1]())).numpy()
        assert np.abs(one - other).max() < 0.02, "both give the same numbers"

    what = f"{features} of {suffix[1:]} at {rate / 1000:g} kHz"
    what += f", {resampler}" if rate != 16_000 else ""
    consumed = (lambda: list(both[0]())), (lambda: list(both[1]()))
    found = compare(what, consumed[0], consumed[1], runs, time.process_time)
    rates = [FILES / median(times) for times in (found.plain, found.ours)]
    note = f"{rates[0]:.0f} and {rates[1]:.0f} clips/s a core"
    return replace(found, work=f"{FILES} recordings of 4.5 to 9 s", note=note)


def main() -> None:
    """Time every kind of file with both kinds of features."""
    arguments = flags(__doc__).parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as every command does
    found = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), *kind[:2])
            names = FEATURES if kind[2] == NOW else ["log-mel"]
            found += [measure(Path(folder), kind, name, arguments.runs) for name in names]
    report(found, arguments.runs, arguments.json)


if __name__ == "__main__":
    main()
