"""What an augmentation must be, and how one is built from an experiment.

An augmentation keeps no random state: every draw comes from the generator it is given, which the
dataset derives from the seed, the epoch and the utterance. So clips are the same, whatever the
number of workers. It never has a part in evaluation, and it is never silently inactive: settings
under which it could not do anything are an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from av import FFmpegError

from amsdf import registry
from amsdf.config import Component
from amsdf.config.settings import thaw


class Augmentation:
    """A random change of one recording: waveform (S,) at 16 kHz -> (S',), float32.

    The constructor takes typed keyword arguments, which are the keys of its YAML, and touches
    neither disk nor network. A subclass writes `apply`, and `prepare` if it needs files or codecs.

    Args:
        p: Share of the recordings that are changed; the others are kept as they are.
    """

    #: How many augmented versions of each clip an epoch has.
    copies: int = 1
    #: Whether an epoch has the unchanged clip as well as its augmented versions.
    keeps_original: bool = False

    def __init__(self, p: float = 1.0):
        if not 0 < p <= 1:
            raise ValueError(
                f"p = {p} is not a probability above 0 and up to 1; "
                "leave the augmentation out to switch it off"
            )
        self.p = p

    def prepare(self, roots: Mapping[str, Path]) -> None:
        """Find what is needed, once at start, below the data `roots`; ValueError if it lacks."""

    def __call__(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Waveform (S,) -> (S',), both float32 at 16 kHz; the input is left as it is."""
        if self.p < 1 and rng.random() >= self.p:
            return waveform
        try:
            return np.asarray(self.apply(waveform, rng), dtype=np.float32)
        except (ValueError, OSError, FFmpegError) as error:
            raise ValueError(f"augmentation {type(self).__name__}: {error}") from error

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The change itself, without the question whether: (S,) -> (S',)."""
        raise NotImplementedError


#: A part of a composition: an augmentation, or how YAML writes one (its name, or name and keys).
Part = Augmentation | Component | Mapping[str, Any] | str


def build_parts(parts: Iterable[Part]) -> list[Augmentation]:
    """Augmentations of the registry from their descriptions; those already built stay."""
    return [_build(part) for part in parts]


def _build(part: Part) -> Augmentation:
    if isinstance(part, Augmentation):
        return part
    component = Component.model_validate(part)
    return registry.build("augmentations", component.name, **thaw(component.args))


def check_range(what: str, bounds: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """A pair (from, to) between `low` and `high`, or a ValueError that names it."""
    pair = isinstance(bounds, Sequence) and len(bounds) == 2
    if not pair or not low <= bounds[0] <= bounds[1] <= high:
        raise ValueError(
            f"{what} = {bounds} must be two numbers [from, to] "
            f"with {low:g} <= from <= to <= {high:g}"
        )
    return bounds[0], bounds[1]
