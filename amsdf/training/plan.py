"""What a training run works on: recordings, pretrained files, folder and workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from amsdf.config import Experiment
from amsdf.data.augmentations import build_augmentations
from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.corpora.corpus import open_corpus
from amsdf.data.manifest import Manifest
from amsdf.detector.pretrained import find_pretrained


@dataclass(frozen=True)
class Plan:
    """What `train` is given beside the experiment: everything that has a place."""

    folder: Path
    train: Manifest
    dev: Sequence[Manifest]
    find_pretrained: Callable[[str, str], Path]
    augment: Augmentation | None = None
    resume: bool = False
    workers: int = 0
    trackers: Sequence[str] = ()
    progress: bool = True
    #: Run the code of the model folders that the views name.
    trust_remote_code: bool = False


@dataclass(frozen=True)
class RunSettings:
    """How a run is carried out; nothing of it changes the result."""

    resume: bool = False
    workers: int = 0
    trackers: Sequence[str] = ()
    progress: bool = True
    trust_remote_code: bool = False


def open_plan(
    experiment: Experiment,
    folder: Path,
    roots: Mapping[str, Path],
    settings: RunSettings | None = None,
) -> Plan:
    """Open the corpora of an experiment; `roots` says where they are, by name."""
    if not experiment.train.corpora:
        raise ValueError("no training corpus: give --train CORPUS (and --dev CORPUS)")
    settings = settings or RunSettings()
    return Plan(
        folder=folder,
        train=_joined([open_corpus(name, roots) for name in experiment.train.corpora]),
        dev=[open_corpus(name, roots) for name in experiment.dev],
        find_pretrained=find_pretrained,
        augment=build_augmentations(experiment.augment, roots),
        resume=settings.resume,
        workers=settings.workers,
        trackers=settings.trackers,
        progress=settings.progress,
        trust_remote_code=settings.trust_remote_code,
    )


def _joined(manifests: Sequence[Manifest]) -> Manifest:
    if len(manifests) == 1:
        return manifests[0]
    table = pl.concat([manifest.table for manifest in manifests], how="diagonal_relaxed")
    if table["utt"].is_duplicated().any():  # ids are unique within a corpus, not between two
        table = table.with_columns(utt=pl.format("{}/{}", "corpus", "utt"))
    return Manifest("+".join(manifest.name for manifest in manifests), table)
