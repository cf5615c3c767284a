"""Rows of a manifest to batches of the parts that a detector listens to.

The batches of a worker are cut from its own share of the rows, so a recording of many parts may
begin in one batch and end in another. What cannot be read travels as its error.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from av import FFmpegError
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from amsdf.audio import AudioError, stream_audio
from amsdf.audio.files.film_cache import sound_of
from amsdf.config import Experiment
from amsdf.conventions import SAMPLE_RATE
from amsdf.data.batching import cut_by_length
from amsdf.data.dataset import start_method
from amsdf.data.manifest import Manifest
from amsdf.data.places import Places
from amsdf.detector.inference.cutting import RecordingPart, cut
from amsdf.detector.inference.frozen import stack_views

#: Seconds of sound in a batch of whole utterances, and how many batches are sorted at once.
MOST_SECONDS, SORTED = 600, 4
_NOTHING = np.zeros(0, np.float32)


@dataclass
class PartBatch:
    """Parts without their sound; waveforms (B, S), zero-padded, with lengths (B,) if they differ.

    `failed` names rows that cannot be read to their end, with the reason. `views` are those of
    frozen encoders, (B, N, D) or (B, L, N, D), where they are known.
    """

    parts: list[RecordingPart] = field(default_factory=list)
    waveform: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    lengths: Tensor | None = None
    failed: list[tuple[int, str]] = field(default_factory=list)
    views: dict[str, Tensor] | None = None

    def pin_memory(self) -> "PartBatch":
        """The same batch where a GPU fetches it from by itself; a loader asks for it."""
        pinned = None if self.lengths is None else self.lengths.pin_memory()
        return replace(self, waveform=self.waveform.pin_memory(), lengths=pinned)


class KnownParts(Protocol):
    """Parts of which the frozen views are known; `complete` says that no other view is wanted."""

    @property
    def complete(self) -> bool:
        """Whether the sound is not needed."""

    def parts(self, row: int) -> list[RecordingPart] | None:
        """The parts of a row, silent, with their views; None where not all are known."""


def batched(parts: Iterable[RecordingPart | tuple[int, str]], size: int) -> Iterator[PartBatch]:
    """Parts, and rows that failed, in batches of `size` parts."""
    waiting: list[RecordingPart] = []
    failed: list[tuple[int, str]] = []
    for part in parts:
        if isinstance(part, RecordingPart):
            waiting.append(part)
        else:
            failed.append(part)
        if len(waiting) == size:
            yield _batch(waiting, failed)
            waiting, failed = [], []
    if waiting or failed:
        yield _batch(waiting, failed)


def batched_by_length(
    parts: Iterable[RecordingPart | tuple[int, str]], size: int
) -> Iterator[PartBatch]:
    """The same for parts of any length: batches of similar ones, so that little is padding.

    Several batches are waited for and sorted; none is longer than `MOST_SECONDS`, padded, unless it
    is one part.
    """
    waiting: list[RecordingPart] = []
    failed: list[tuple[int, str]] = []
    held = 0
    for part in parts:
        if not isinstance(part, RecordingPart):
            failed.append(part)
            continue
        waiting.append(part)
        held += len(part.waveform)
        if len(waiting) == SORTED * size or held >= SORTED * MOST_SECONDS * SAMPLE_RATE:
            yield from _sorted(waiting, failed, size)
            waiting, failed, held = [], [], 0
    yield from _sorted(waiting, failed, size)


def _sorted(
    parts: Sequence[RecordingPart], failed: list[tuple[int, str]], size: int
) -> Iterator[PartBatch]:
    lengths = np.array([len(part.waveform) for part in parts])
    order = np.argsort(lengths, kind="stable")
    most = MOST_SECONDS * SAMPLE_RATE
    for rows in cut_by_length(order, lengths[order], size, most):
        yield _batch([parts[row] for row in rows], failed)
        failed = []
    if failed:
        yield _batch([], failed)


def _batch(parts: list[RecordingPart], failed: list[tuple[int, str]]) -> PartBatch:
    if not parts:
        return PartBatch(failed=failed)
    sizes = [len(part.waveform) for part in parts]
    padded = [np.pad(part.waveform, (0, max(sizes) - len(part.waveform))) for part in parts]
    views = [part.views for part in parts if part.views is not None]
    return PartBatch(
        parts=[replace(part, waveform=_NOTHING, views=None) for part in parts],
        waveform=torch.from_numpy(np.stack(padded)),
        lengths=torch.tensor(sizes) if len(set(sizes)) > 1 else None,
        failed=failed,
        views=stack_views(views) if len(views) == len(parts) else None,
    )


class PartBatches(IterableDataset[PartBatch]):
    """The batches of some rows; each worker makes those of its share, what is `known` first."""

    def __init__(
        self,
        manifest: Manifest,
        rows: Sequence[int],
        experiment: Experiment,
        size: int,
        known: KnownParts | None = None,
    ):
        self.places, self.rows = Places(manifest), np.asarray(rows, dtype=np.int64)
        self.experiment, self.size, self.known = experiment, size, known

    def __iter__(self) -> Iterator[PartBatch]:
        worker = get_worker_info()
        rows = self.rows if worker is None else self.rows[worker.id :: worker.num_workers]
        whole = self.experiment.clip.samples is None
        join = batched_by_length if whole else batched
        unknown = array("q")
        yield from join(self._known_parts(map(int, rows), unknown), self.size)
        yield from join((part for row in unknown for part in self.parts(row)), self.size)

    def _known_parts(
        self, rows: Iterable[int], unknown: "array[int]"
    ) -> Iterator[RecordingPart | tuple[int, str]]:
        """The parts with known views; rows without them are added to `unknown`."""
        for row in rows:
            known = self.known.parts(row) if self.known else None
            if known is None:
                unknown.append(row)
            elif self.known and self.known.complete:
                yield from known
            else:
                yield from map(_with_views, self.parts(row), known)

    def parts(self, row: int) -> Iterator[RecordingPart | tuple[int, str]]:
        """The parts of a row; at the end the row and the reason if it cannot be read."""
        path, start, end = self.places[row]
        return recording_parts(path, (start, end), self.experiment, row)


def recording_parts(
    name: str,
    times: tuple[float | None, float | None],
    experiment: Experiment,
    row: int,
    content: bytes | None = None,
) -> Iterator[RecordingPart | tuple[int, str]]:
    """The parts of a recording between two times; at its end the row and why it cannot be read.

    Its bytes are `content`; without it, `name` is its path.
    """
    start, end = times
    try:
        source = sound_of(name, start) if content is None else content
        yield from cut(stream_audio(source, start, end).complete(), experiment, row)
    except AudioError as error:
        yield row, f"{name}: {error.reason}"
    except (ValueError, OSError, FFmpegError) as error:
        yield row, f"{name}: {error}"


def _with_views(
    heard: RecordingPart | tuple[int, str], known: RecordingPart
) -> RecordingPart | tuple[int, str]:
    return replace(heard, views=known.views) if isinstance(heard, RecordingPart) else heard


def part_loader(batches: PartBatches, workers: int, pin: bool = False) -> DataLoader[PartBatch]:
    """A loader of batches of parts; it draws nothing from the global generator."""
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        generator=torch.Generator().manual_seed(0),
        multiprocessing_context=start_method(batches.places.paths) if workers else None,
    )
