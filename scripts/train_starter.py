"""Train the starter, the detector that `amsdf score` uses when none is named.

    python scripts/train_starter.py CORPORA --whisper FOLDER --quality distill_mos_v7.pt

Two frozen views (Whisper's first layers, a speech quality model) give statistics over time. A
logistic regression on them, in their main directions, is the detector. It is trained in closed
form: with frozen views there is nothing that needs many passes. Every clip counts as it is and in
two augmented versions; sources count by the root of their size. Dev sources, as they are and in
eight everyday conditions, fit the calibration.

Statistics are kept in `OUT/.statistics.npz` until the detector is written: an interrupted run goes
on from there.
"""

import argparse
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from starter_calibration import write_calibration
from starter_conditions import AUGMENTATION, CONDITIONS, prepared
from torch import Tensor
from tqdm import tqdm

from amsdf import registry
from amsdf.audio.cropping import fit
from amsdf.audio.files.reading import read_audio
from amsdf.config import Experiment
from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.manifest import read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.metrics import eer
from amsdf.scoring.reference import fit_reference
from amsdf.scoring.training_data import KnownCorpora

TRAIN = [
    "assemvc",
    "autovc",
    "cyclegan_vc2",
    "diffwave",
    "fragmentvc",
    "gradtts",
    "libri_copy",
    "librispeech_mini",
    "local_tts",
    "melgan",
    "r9y9_wavenet",
    "tortoise",
    "wavegrad",
]
DEV = ["yourtts", "speechbot"]
#: Augmented versions of every training clip, beside the clip itself.
VERSIONS = 2
#: Main directions of the statistics that the regression sees, and its inverse regularisation.
DIRECTIONS, INVERSE_PENALTY = 800, 3e-4
#: Numbers of an embedding: the evidence first, then the main directions, for the reference.
EMBEDDING = 32
LEAST_SPREAD = 1e-4

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Statistics:
    """Statistics (T, W) of clips, with their labels (T,) and sources (T,)."""

    values: Floats
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]


def experiment_of(whisper: Path) -> Experiment:
    """What the starter is."""
    text = registry.load("encoders", "whisper").architecture_of(whisper)
    return Experiment.parse(
        {
            "name": "starter",
            "views": {
                "text": {"encoder": "whisper", "freeze": True, "layer": [0, 1, 2, 3], **text},
                "audio": {"encoder": "speech-quality", "freeze": True},
            },
            "head": {"name": "statistics", "embedding_dim": EMBEDDING},
            "loss": {"name": "cross-entropy", "weights": None},
            "clip": {"samples": 64_000, "band_hz": [50, 7000], "level_db": -26},
            "score": {"parts": "windows", "pool": "quantile", "quantile": 0.25},
            "augment": [AUGMENTATION],
            "train": {"corpora": TRAIN},
            "dev": DEV,
            "seed": 1,
        }
    )


def open_views(whisper: Path, quality: Path) -> Detector:
    """The detector with both pretrained views, rounded to the halves that are shipped."""
    detector = Detector.build(experiment_of(whisper)).eval()
    detector.encoder("text").load_pretrained(whisper)
    detector.encoder("audio").load_pretrained(quality)
    for tensor in detector.encoders.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().float())
    return detector


def clips_of(
    corpora: Path, name: str, change: Augmentation | None, version: str
) -> Iterator[tuple[Floats, dict[str, Any]]]:
    """Waveforms of a corpus, each with its row; changes are drawn from clip and version."""
    for row in read_manifest(corpora / name / "manifest.csv").table.iter_rows(named=True):
        waveform = read_audio(row["path"])
        if change is not None:
            seed = zlib.crc32(f"{version}/{row['utt']}".encode())
            waveform = change(waveform, np.random.default_rng(seed))
        yield waveform, row


@torch.inference_mode()
def statistics_of(
    detector: Detector, corpora: Path, name: str, change: Augmentation | None, version: str
) -> Statistics:
    """The statistics of one version of one corpus."""
    clip = detector.experiment.clip
    values, labels, sources = [], [], []
    for waveform, row in clips_of(corpora, name, change, version):
        fitted = torch.from_numpy(fit(waveform, clip, clip.samples))[None]
        views, masks = detector.views(fitted)
        values.append(detector.head.statistics(views, masks)[0].numpy())  # type: ignore[operator]
        labels.append(row["label"])
        sources.append(name)
    return Statistics(np.stack(values), np.array(labels), np.array(sources))


def gather(
    detector: Detector, corpora: Path, names: Sequence[str], changes: dict[str, Any], kept: Path
) -> Statistics:
    """The statistics of all versions of corpora, one file each in the folder `kept`."""
    kept.mkdir(parents=True, exist_ok=True)
    parts = []
    work = [(name, version) for name in names for version in changes]
    for name, version in tqdm(work, unit="corpus"):
        file = kept / f"{name}.{version}.npz"
        if not file.is_file():
            found = statistics_of(detector, corpora, name, changes[version], version)
            unfinished = file.with_suffix(".part.npz")
            np.savez(unfinished, **vars(found))
            unfinished.rename(file)
        with np.load(file) as arrays:
            parts.append(Statistics(arrays["values"], arrays["labels"], arrays["sources"]))
    return Statistics(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.sources for part in parts]),
    )


def shares(labels: NDArray[np.int64], sources: NDArray[np.str_]) -> NDArray[np.float64]:
    """What each clip counts (T,): classes equally, sources by the root of their size."""
    weights = np.zeros(len(labels))
    for label in (SPOOF, BONAFIDE):
        own = labels == label
        names, counts = np.unique(sources[own], return_counts=True)
        total = np.sqrt(counts).sum()
        for name, count in zip(names, counts, strict=True):
            weights[own & (sources == name)] = np.sqrt(count) / total / count
    return weights / weights.mean()


@torch.no_grad()
def fit_detector(detector: Detector, found: Statistics, seed: int) -> None:
    """Set the head and the loss from training statistics."""
    weights = shares(found.labels, found.sources)
    centre = np.average(found.values, axis=0, weights=weights)
    spread = np.sqrt(np.average((found.values - centre) ** 2, axis=0, weights=weights))
    spread = spread + LEAST_SPREAD
    standard = torch.from_numpy(((found.values - centre) / spread).astype(np.float32))

    torch.manual_seed(seed)
    _, singular, directions = torch.svd_lowrank(standard, DIRECTIONS, niter=2)
    fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=500, tol=1e-4).fit(
        (standard @ directions).numpy(), found.labels, sample_weight=weights
    )
    evidence = directions @ torch.from_numpy(fitted.coef_[0]).float()
    size = singular[: EMBEDDING - 1] / len(standard) ** 0.5
    others = (directions[:, : EMBEDDING - 1] / size).T

    state = detector.state_dict()
    state["head.centre"].copy_(torch.from_numpy(centre))
    state["head.spread"].copy_(torch.from_numpy(spread))
    state["head.linear.weight"].copy_(torch.cat([evidence[None], others]))
    state["head.linear.bias"].zero_()
    state["head.linear.bias"][0] = float(fitted.intercept_[0])
    state["loss.linear.weight"].zero_()
    state["loss.linear.weight"][:, 0] = torch.tensor([-0.5, 0.5])
    state["loss.linear.bias"].zero_()
    for key in ("head.centre", "head.spread", "head.linear.weight", "head.linear.bias"):
        state[key].copy_(state[key].half().float())


@torch.inference_mode()
def embed(detector: Detector, found: Statistics) -> Tensor:
    """Embeddings (T, E) from statistics."""
    head: Any = detector.head
    return head.linear((torch.from_numpy(found.values) - head.centre) / head.spread)


@torch.inference_mode()
def scores_of(detector: Detector, found: Statistics) -> Floats:
    """Scores (T,) from statistics."""
    return detector.loss.score(embed(detector, found)).numpy()


def write(detector: Detector, folder: Path) -> None:
    """The detector folder, weights in halves."""
    state = {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in detector.state_dict().items()
    }
    checkpoint.save(checkpoint.Checkpoint(detector.experiment, state), folder)


def known_corpora(corpora: Path) -> KnownCorpora:
    """What it is trained and chosen on."""
    train, dev = (
        [read_manifest(corpora / name / "manifest.csv") for name in names] for names in (TRAIN, DEV)
    )
    return KnownCorpora.of(train, dev)


def eers(detector: Detector, found: Statistics) -> dict[str, float]:
    """EER in percent of all sources together, and of each."""
    scores = scores_of(detector, found)

    def of(rows: NDArray[np.bool_]) -> float:
        real = scores[rows & (found.labels == BONAFIDE)]
        return round(100 * eer(real, scores[rows & (found.labels == SPOOF)]).rate, 1)

    names = sorted(set(found.sources.tolist()))
    return {"all": of(found.labels >= 0), **{name: of(found.sources == name) for name in names}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, calibrate, and print what dev says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("corpora", type=Path, help="folder with a folder for each source")
    parser.add_argument("--whisper", type=Path, required=True, help="tiny.en, Hugging Face folder")
    parser.add_argument("--quality", type=Path, required=True, help="distill_mos_v7.pt")
    parser.add_argument("--out", type=Path, default=Path("pretrained_models/starter"))
    parser.add_argument("--kept", type=Path, default=Path("cache/starter"))
    options = parser.parse_args(arguments)

    detector = open_views(options.whisper, options.quality)
    augmented = {f"augmented-{n}": prepared(AUGMENTATION) for n in range(1, VERSIONS + 1)}
    conditions = {name: prepared(change) for name, change in CONDITIONS.items()}
    clean: dict[str, Any] = {"clean": None}
    training = gather(detector, options.corpora, TRAIN, clean | augmented, options.kept)
    fit_detector(detector, training, detector.experiment.seed)

    dev = {
        name: gather(detector, options.corpora, DEV, {name: change}, options.kept)
        for name, change in (clean | conditions).items()
    }
    print(json.dumps({name: eers(detector, found) for name, found in dev.items()}, indent=1))
    together = Statistics(
        *(np.concatenate([getattr(found, key) for found in dev.values()]) for key in vars(training))
    )
    write(detector, options.out)
    known = known_corpora(options.corpora)
    known.save(options.out)
    scores = np.stack([scores_of(detector, found) for found in dev.values()])
    clips = [read_manifest(options.corpora / name / "manifest.csv") for name in DEV]
    write_calibration(detector, (scores, clips), known, options.out)
    reference = fit_reference(embed(detector, training).numpy(), embed(detector, together).numpy())
    reference.save(options.out)
    print(
        f"{options.out}: {sum(file.stat().st_size for file in options.out.iterdir()) / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
