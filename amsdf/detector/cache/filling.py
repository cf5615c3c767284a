"""Encoding what is missing: in this process, or by several that each open the encoders anew."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

import torch
from torch import Tensor

from amsdf.detector.cache.keys import EncoderKey
from amsdf.detector.cache.sounds import Sound, Sounds
from amsdf.detector.cache.store import DTYPES, Kept, ViewStore
from amsdf.detector.detector import Detector
from amsdf.detector.inference.frozen import encode_alone
from amsdf.detector.inference.precision import encoders_in

#: Tasks that are tried for the size of what they give.
_TRIED = 20


#: Before the number format of training, which is that of all its parts.
TRAINING = "training "


def training_formats(detector: Detector) -> dict[str, str]:
    """The number format of each view in training, as a filler takes it."""
    precision = detector.experiment.train.precision
    word = precision if precision == "fp32" else TRAINING + precision
    return dict.fromkeys(detector.encoders, word)


@dataclass(frozen=True)
class Filler:
    """What encodes sounds and keeps their views; `encoders` are keys by the name of the view."""

    detector: Detector
    store: ViewStore
    encoders: Mapping[str, EncoderKey]

    @classmethod
    def of(
        cls, detector: Detector, store: ViewStore, formats: Mapping[str, str], stored: str
    ) -> Self:
        """Of the frozen views of a detector, each computed in its format and kept in `stored`."""
        encoders = {
            name: EncoderKey.of(detector, name, formats[name], stored)
            for name in detector.frozen_views
        }
        return cls(detector, store, encoders)

    def is_done(self, sounds: Sounds, task: Any) -> bool:
        """Whether the views of a task are kept; they count as used."""
        return all(
            self.store.about(encoder.folder, key) is not None
            for key in sounds.keys(task)
            for encoder in self.encoders.values()
        )

    def fill(self, sounds: Sounds, tasks: Sequence[Any]) -> Iterator[str]:
        """Keep the views of each task; after it the reason why it cannot be read, or ''."""
        for encoder in self.encoders.values():
            self.store.describe(encoder.folder, {**vars(encoder), "made_with": _machine(self)})
        for task in tasks:
            yield self._fill(sounds, task)

    def _fill(self, sounds: Sounds, task: Any) -> str:
        for sound in sounds.sounds(task):
            if isinstance(sound, str):
                return sound
            missing = [
                name
                for name, encoder in self.encoders.items()
                if self.store.about(encoder.folder, sound.key) is None
            ]
            for name, view in self._encode(missing, sound).items():
                encoder = self.encoders[name]
                self.store.write(encoder.folder, sound.key, Kept(view, sound.about), encoder.stored)
        return ""

    def _encode(self, names: Sequence[str], sound: Sound) -> dict[str, Tensor]:
        device = self.detector.device
        formats = {name: self.encoders[name].precision for name in names}
        training = {word.removeprefix(TRAINING) for word in formats.values() if TRAINING in word}
        lower = torch.float16 if "fp16" in training else torch.bfloat16
        scoring = {name: word for name, word in formats.items() if TRAINING not in word}
        with encoders_in(scoring), torch.autocast(device.type, lower, bool(training)):
            clip = torch.from_numpy(sound.waveform).to(device)
            return encode_alone(self.detector, names, clip)

    def bytes_of(self, sounds: Sounds, tasks: Sequence[Any]) -> int:
        """About how much the views of some tasks will take, by what one of them takes."""
        for task in tasks[:_TRIED]:
            sound = next(sounds.sounds(task))
            if isinstance(sound, Sound):
                views = self._encode(list(self.encoders), sound)
                each = sum(
                    view.numel() * DTYPES[self.encoders[name].stored].itemsize
                    for name, view in views.items()
                )
                return round(each / len(sound.waveform) * sounds.samples(tasks))
        return 0


def _machine(filler: Filler) -> str:
    return (
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{filler.detector.device.type}"
    )


@dataclass(frozen=True)
class Team:
    """Processes that fill together; each opens the detector by itself."""

    workers: int
    open: Callable[[], Detector]

    def fill(self, filler: Filler, sounds: Sounds, tasks: Sequence[Any]) -> Iterator[str]:
        """`Filler.fill` by all of them, each with its share; in the order in which they are done.

        A process that is killed leaves its share for the next start.
        """
        context = multiprocessing.get_context("spawn")
        threads = max(1, torch.get_num_threads() // self.workers)
        working: dict[Any, BaseProcess] = {}
        for number in range(self.workers):
            reader, writer = context.Pipe(duplex=False)
            given = _Share(self.open, filler.store, filler.encoders, sounds, threads)
            process: BaseProcess = context.Process(
                target=given.work, args=(tasks[number :: self.workers], writer), daemon=True
            )
            process.start()
            working[reader] = process
            writer.close()  # the end of the process is then the end of the pipe
        try:
            yield from _words_of(working)
        finally:
            for process in working.values():
                process.terminate()


def _words_of(working: dict[Any, BaseProcess]) -> Iterator[str]:
    """What processes send until all have ended; who has is taken out."""
    started, killed = len(working), 0
    while working:
        for reader in [each for each in wait(list(working)) if isinstance(each, Connection)]:
            try:
                word = reader.recv()
            except EOFError:
                process = working.pop(reader)
                process.join()
                killed += bool(process.exitcode)
                continue
            if isinstance(word, ValueError):
                raise word
            yield word
    if killed:
        raise ValueError(
            f"{killed} of {started} processes that fill the cache were killed, mostly because "
            "memory ran out; start again: what they have done is kept"
        )


@dataclass(frozen=True)
class _Share:
    """What a process of a team begins with."""

    open: Callable[[], Detector]
    store: ViewStore
    encoders: Mapping[str, EncoderKey]
    sounds: Sounds
    threads: int

    def work(self, tasks: Sequence[Any], writer: Connection) -> None:
        """Fill, and say what became of each task."""
        torch.set_num_threads(self.threads)
        try:
            for reason in self._filler().fill(self.sounds, tasks):
                writer.send(reason)
        except BrokenPipeError:  # who started it is gone
            return
        except (ValueError, OSError, RuntimeError) as error:
            writer.send(ValueError(str(error)))

    def _filler(self) -> Filler:
        detector = self.open()
        formats = {name: key.precision for name, key in self.encoders.items()}
        stored = next(iter(self.encoders.values())).stored
        filler = Filler.of(detector, self.store, formats, stored)
        if filler.encoders != self.encoders:
            raise ValueError("the weights of a frozen encoder have changed since the start")
        return filler
