"""Training clips whose frozen views are kept on disk: where all are, no sound is decoded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch.utils.data import Dataset

from amsdf.config import Experiment
from amsdf.data.dataset import Batch, Clips, Key, TrainingTransform, collate
from amsdf.detector import finetuning
from amsdf.detector.cache.filling import Team
from amsdf.detector.cache.view_cache import KeptCrops
from amsdf.detector.detector import Detector
from amsdf.detector.inference.frozen import stack_views
from amsdf.detector.storage.loading import best_device
from amsdf.training.checks import check_data
from amsdf.training.clips.bad_clips import BadClips
from amsdf.training.plan import Plan, new_detector
from amsdf.training.processes import fail_together, this_process


class KeptClips(Dataset[Batch]):
    """Batches of clips with their frozen views; a key of it is the list of keys of a batch.

    Args:
        clips: The clips.
        kept: Their views.
        names: The views that are frozen now.
        complete: Whether there are no others, so that no sound is needed.
    """

    def __init__(self, clips: Clips, kept: KeptCrops, names: Sequence[str], complete: bool):
        self.clips, self.kept, self.names, self.complete = clips, kept, names, complete
        self.places = clips.places

    def __getitems__(self, keys: Sequence[Key]) -> list[Batch]:
        found = [self.kept.crops(key, self.names) for key in keys]
        items = [
            self.clips.silent_item(key, [size for size, _ in crops])
            if crops and self.complete
            else self.clips[key]
            for key, crops in zip(keys, found, strict=True)
        ]
        good = [crops for crops, item in zip(found, items, strict=True) if not item.error]
        known = [crops for crops in good if crops]
        if len(known) < len(good):  # removed since: the whole batch is encoded again
            return [collate([self.clips[key] for key in keys])]
        batch = collate(items)
        if known:
            views = [stack_views([view for _, view in crops]) for crops in zip(*known, strict=True)]
            pairs = views[1] if len(views) > 1 else None
            batch = replace(batch, frozen_views=views[0], frozen_pairs=pairs)
        return [batch]


def kept_or_plain(
    clips: Clips, experiment: Experiment, epoch: int, kept: KeptCrops | None
) -> Clips | KeptClips:
    """The clips of an epoch, with the views of what is frozen then where they are kept."""
    views = experiment.views.items()
    frozen = [name for name, view in views if finetuning.is_frozen(view, epoch)]
    if kept is None or not frozen:
        return clips
    return KeptClips(clips, kept, frozen, complete=len(frozen) == len(views))


def keep_crops(detector: Detector, plan: Plan, team: Team | None = None) -> KeptCrops | None:
    """Fill the cache of a plan for training and dev; each process does its share.

    None where there is no cache, or nothing is frozen.
    """
    if plan.cache is None or not detector.frozen_views:
        return None
    state = this_process()
    share = slice(state.process_index, None, state.num_processes)
    with fail_together():
        kept = plan.cache.crops(detector, plan.train, transform_of(detector, plan), share, team)
        for dev in plan.dev:
            plan.cache.parts(detector, dev, range(len(dev))[share], "fp32", team)
    return kept


def transform_of(detector: Detector, plan: Plan) -> TrainingTransform:
    """What training does to the clips of a plan."""
    experiment, pairs = detector.experiment, detector.loss.wants_pairs
    return TrainingTransform(experiment.seed, plan.augment, pairs, experiment.train.draws)


def keep_for_training(experiment: Experiment, plan: Plan, workers: int = 1) -> None:
    """Fill the cache of a plan, by several processes, as the training would at its start."""
    refuse_unfrozen(experiment)
    tolerance = experiment.train.bad_clip_tolerance
    plan = check_data(plan, experiment.train, BadClips(plan.folder, tolerance, len(plan.train)))
    opening = partial(_on_best_device, experiment, plan.find_pretrained, plan.trust_remote_code)
    keep_crops(opening(), plan, Team(workers, opening) if workers > 1 else None)


def _on_best_device(
    experiment: Experiment, find_pretrained: Callable[[str, str], Path], trust_remote_code: bool
) -> Detector:
    return new_detector(experiment, find_pretrained, trust_remote_code).to(best_device(None))


def refuse_unfrozen(experiment: Experiment) -> None:
    """An error where no view is frozen, so that none can be kept."""
    if not any(view.freeze for view in experiment.views.values()):
        raise ValueError("a cache keeps views of frozen encoders, and none is; give --freeze VIEW")
