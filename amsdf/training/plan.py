"""What a training run works on: recordings, pretrained files, folder and workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from amsdf.config import Experiment
from amsdf.data.augmentations import build_augmentations
from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.manifest import Manifest, join_manifests
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.detector.detector import Detector
from amsdf.detector.storage.pretrained import find_pretrained


@dataclass(frozen=True)
class RunSettings:
    """How a run is carried out; nothing of it changes the result."""

    resume: bool = False
    workers: int = 0
    trackers: Sequence[str] = ()
    progress: bool = True
    #: Run the code of the model folders that the views name.
    trust_remote_code: bool = False
    #: Where views of frozen encoders are kept.
    cache: ViewCache | None = None


@dataclass(frozen=True, kw_only=True)
class Plan(RunSettings):
    """What `train` is given beside the experiment: everything that has a place."""

    folder: Path
    train: Manifest
    dev: Sequence[Manifest]
    find_pretrained: Callable[[str, str], Path]
    augment: Augmentation | None = None
    #: What `train` is joined from; empty where it is one.
    train_corpora: Sequence[Manifest] = ()
    #: Asked after each epoch with its number and the best dev EER so far; true ends the training.
    is_hopeless: Callable[[int, float], bool] | None = None


def new_detector(
    experiment: Experiment, find_pretrained: Callable[[str, str], Path], trust_remote_code: bool
) -> Detector:
    """The detector that a training begins with."""
    torch.manual_seed(experiment.seed)
    detector = Detector.build(experiment, trust_remote_code)
    if experiment.clip.samples is None:
        detector.require_lengths()
    detector.load_pretrained(find_pretrained)
    return detector


def open_plan(
    experiment: Experiment,
    folder: Path,
    roots: Mapping[str, Path],
    settings: RunSettings | None = None,
) -> Plan:
    """Open the corpora of an experiment; `roots` says where they are, by name."""
    if not experiment.train.corpora:
        raise ValueError("no training corpus: give --train CORPUS (and --dev CORPUS)")
    parts = [open_corpus(name, roots) for name in experiment.train.corpora]
    return Plan(
        folder=folder,
        train=join_manifests(parts),
        train_corpora=parts,
        dev=[open_corpus(name, roots) for name in experiment.dev],
        find_pretrained=find_pretrained,
        augment=build_augmentations(experiment.augment, roots),
        **vars(settings or RunSettings()),
    )
