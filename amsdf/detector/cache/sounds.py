"""What is heard of the recordings of a manifest: the parts that are scored, the training crops.

A task is the smallest piece of work: a row, or a (epoch, place) of training. It gives some sounds,
each with the key of its views.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from amsdf.audio.cropping import MIN_SAMPLES
from amsdf.config import Experiment
from amsdf.conventions import SAMPLE_RATE
from amsdf.data.batching import durations
from amsdf.data.dataset import Clips, Key, TrainingTransform
from amsdf.data.manifest import Manifest
from amsdf.data.places import Places
from amsdf.detector.cache.keys import crop_scope, part_scope, sound_key
from amsdf.detector.inference.part_batches import PartBatches
from amsdf.detector.inference.windows import part_starts


@dataclass(frozen=True)
class Sound:
    """A waveform (S,), the key of its views, and what is kept with them, in words."""

    key: str
    waveform: np.ndarray
    about: dict[str, str]


class Sounds(Protocol):
    """What can be encoded and kept."""

    def keys(self, task: Any) -> list[str]:
        """The keys that are there when a task is done."""

    def sounds(self, task: Any) -> Iterator[Sound | str]:
        """The sounds of a task; instead of one that cannot be read, the reason."""

    def samples(self, tasks: Sequence[Any]) -> int:
        """About how many samples there are in all."""


class _Recordings:
    """The recordings of a manifest by their content."""

    def __init__(self, manifest: Manifest, digests: Sequence[str]):
        self._digests = np.array(digests, dtype="S24")
        self._places = Places(manifest)

    def key(self, scope: str, row: int, *place: int) -> str:
        """The key of a place in one of them."""
        _, start, end = self._places[row]
        sound = (self._digests[row].decode(), start, end)
        return sound_key(scope, sound, *place)


class PartSounds:
    """The parts of each recording that a detector listens to; a task is a row."""

    def __init__(self, manifest: Manifest, experiment: Experiment, digests: Sequence[str]):
        self.manifest, self.experiment = manifest, experiment
        self._scope = part_scope(experiment.clip, experiment.score)
        self._recordings = _Recordings(manifest, digests)
        self._batches = PartBatches(manifest, [], experiment, 1)

    def key(self, row: int, part: int) -> str:
        """The key of one part."""
        return self._recordings.key(self._scope, row, part)

    def keys(self, task: int) -> list[str]:
        """That of the first part, which is kept last."""
        return [self.key(task, 0)]

    def sounds(self, task: int) -> Iterator[Sound | str]:
        """All parts; the first one comes last and says which parts there are."""
        table: list[list[float]] = []
        first = np.zeros(0, np.float32)
        for part in self._batches.parts(task):
            if isinstance(part, tuple):
                yield part[1]
                return
            samples = len(part.waveform)
            if table:
                about = {"samples": str(samples)}
                yield Sound(self.key(task, len(table)), part.waveform, about)
            else:
                first = part.waveform
            table.append([part.start, part.end, part.power, samples])
        about = {"samples": str(len(first)), "parts": json.dumps(table)}
        yield Sound(self.key(task, 0), first, about)

    def samples(self, tasks: Sequence[int]) -> int:
        """Those of all parts."""
        clip, rule = self.experiment.clip, self.experiment.score
        if clip.samples is not None and rule.parts == "first":
            return len(tasks) * clip.samples
        chosen = Manifest(self.manifest.name, self.manifest.table[list(tasks)])
        lengths = (durations(chosen) * SAMPLE_RATE).astype(int).clip(min=MIN_SAMPLES).tolist()
        if clip.samples is None:
            return sum(lengths)
        return clip.samples * sum(len(part_starts(length, self.experiment)) for length in lengths)


class CropSounds:
    """The crops of each recording in training, and of its pair; a task is a (epoch, place).

    What is cut at the start and not augmented is the same as a part that is scored.
    """

    def __init__(
        self,
        manifest: Manifest,
        experiment: Experiment,
        digests: Sequence[str],
        transform: TrainingTransform,
    ):
        clip, self.transform = experiment.clip, transform
        if transform.augment and not experiment.augment:
            raise ValueError("the augmentation is not in the experiment, so its crops have no name")
        self.clips = Clips(manifest, clip, transform)
        self._recordings = _Recordings(manifest, digests)
        lengths, rules = {"crop": clip.samples}, {"crop": clip.train_crop}
        if transform.pairs:
            lengths["pair"], rules["pair"] = clip.pair_samples or clip.samples, clip.pair_crop
        # Of a whole utterance there is one crop only.
        self._at_random = {
            which: rules[which] == "random" and length is not None
            for which, length in lengths.items()
        }
        self._scopes = {
            (which, augment is not None): crop_scope(clip, experiment.augment, augment, which)
            for which in lengths
            for augment in (None, transform.augment)
        }
        self._parts = {
            which: PartSounds(manifest, _cut_at_start(experiment, samples), digests)
            for which, samples in lengths.items()
        }
        if transform.draws is None and any(map(self._is_random, self._places(1))):
            raise ValueError(
                "training crops or augmentations are drawn anew in each epoch, so none comes "
                "again; give --set train.draws=K for K of each clip"
            )

    def tasks(self) -> list[Key]:
        """All crops that there are in any epoch."""
        more = range(1, self.transform.draws or 1)
        drawn_again = [key for draw in more for key in self._places(draw) if self._is_random(key)]
        return [*self._places(0), *drawn_again]

    def _places(self, epoch: int) -> Iterator[Key]:
        return ((epoch, place) for place in range(len(self.clips) * self.transform.versions))

    def _is_random(self, key: Key) -> bool:
        return any(self._is_drawn(which, key) for which in self._at_random)

    def _is_drawn(self, which: str, key: Key) -> bool:
        return self._at_random[which] or self._augment(key) is not None

    def _augment(self, key: Key) -> Any:
        return self.transform.augmentation_of(key[1] // len(self.clips))

    def keys(self, task: Key) -> list[str]:
        """That of the crop, and of the pair where there are pairs."""
        return [self._key(which, task) for which in self._at_random]

    def _key(self, which: str, key: Key) -> str:
        row = key[1] % len(self.clips)
        if not self._is_drawn(which, key):
            return self._parts[which].key(row, 0)
        scope = self._scopes[which, self._augment(key) is not None]
        return self._recordings.key(scope, row, *self.transform.draw_of(key, len(self.clips)))

    def sounds(self, task: Key) -> Iterator[Sound | str]:
        """The crop, and the pair where there are pairs."""
        drawn = [which for which in self._at_random if self._is_drawn(which, task)]
        for which in self._at_random.keys() - set(drawn):
            yield from self._parts[which].sounds(task[1] % len(self.clips))
        if drawn:
            item = self.clips[task]
            if item.error:
                yield item.error
                return
            waveforms = {"crop": item.waveform, "pair": item.pair}
            for which in drawn:
                waveform = waveforms[which]
                assert waveform is not None
                yield Sound(self._key(which, task), waveform, {"samples": str(len(waveform))})

    def samples(self, tasks: Sequence[Key]) -> int:
        """Those of all crops and pairs."""
        rows = [key[1] % len(self.clips) for key in tasks]
        return sum(parts.samples(rows) for parts in self._parts.values())


def _cut_at_start(experiment: Experiment, samples: int | None) -> Experiment:
    """One that listens to the first part only, of so many samples."""
    clip = experiment.clip.model_copy(update={"samples": samples})
    rule = experiment.score.model_copy(update={"parts": "first"})
    return experiment.model_copy(update={"clip": clip, "score": rule})
