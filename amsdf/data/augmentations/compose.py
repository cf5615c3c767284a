"""Augmentations made of augmentations: all, one of several, some of several, copies.

The parts are listed under `of`, each written like any component:

    augment:
      - {name: one-of, of: [{name: codec, codecs: [mp3]}, {name: speed}], weights: [3, 1], p: 0.8}
      - {name: rawboost, algorithm: 5}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from amsdf.config import Component
from amsdf.data.augmentations.contract import Augmentation, Part, build_parts


class _Composition(Augmentation):
    def __init__(self, of: Sequence[Part], p: float):
        super().__init__(p)
        self.parts = build_parts(of)
        if not self.parts:
            raise ValueError("'of' is empty; give at least one augmentation")
        if any(part.copies != 1 or part.keeps_original for part in self.parts):
            raise ValueError("'copies' cannot be a part of another; make it the only augmentation")

    def prepare(self, roots: Mapping[str, Path]) -> None:
        """Prepare every part."""
        for part in self.parts:
            part.prepare(roots)


class Chain(_Composition):
    """All parts, one after the other, in the order written.

    Args:
        of: The parts.
        p: Share of the recordings that go through the chain; the others are kept as they are.
    """

    def __init__(self, of: Sequence[Part], p: float = 1.0):
        super().__init__(of, p)

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S',)."""
        for part in self.parts:
            waveform = part(waveform, rng)
        return waveform


class OneOf(_Composition):
    """One part, drawn anew for each recording.

    Args:
        of: The parts.
        weights: How often each part is drawn, in proportion; without them, all equally often.
        p: Share of the recordings that are changed; the others are kept as they are.
    """

    def __init__(self, of: Sequence[Part], weights: Sequence[float] | None = None, p: float = 1.0):
        super().__init__(of, p)
        shares = np.ones(len(self.parts)) if weights is None else np.array(weights, np.float64)
        if len(shares) != len(self.parts) or not (shares > 0).all():
            raise ValueError(
                f"weights = {weights} must be {len(self.parts)} numbers above 0, one a part"
            )
        self.shares = shares / shares.sum()

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S',)."""
        return self.parts[rng.choice(len(self.parts), p=self.shares)](waveform, rng)


class SomeOf(_Composition):
    """Several different parts, drawn anew for each recording, in the order written.

    Args:
        of: The parts.
        k: How many parts: a number, or [fewest, most].
        p: Share of the recordings that are changed; the others are kept as they are.
    """

    def __init__(self, of: Sequence[Part], k: int | tuple[int, int] = 2, p: float = 1.0):
        super().__init__(of, p)
        fewest, most = (k, k) if isinstance(k, int) else k
        if not 1 <= fewest <= most <= len(self.parts):
            raise ValueError(
                f"k = {k} must be a number, or two [fewest, most], from 1 to {len(self.parts)}, "
                "the number of parts"
            )
        self.fewest, self.most = fewest, most

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S',)."""
        k = rng.integers(self.fewest, self.most, endpoint=True)
        for index in np.sort(rng.permutation(len(self.parts))[:k]):
            waveform = self.parts[index](waveform, rng)
        return waveform


class Copies(Chain):
    """Several versions of each clip in one epoch, as corpora are enlarged offline.

    The dataset lists each clip `n` times, each through the parts with draws of its own, and, if
    asked, once more unchanged. Only the whole augmentation of an experiment can be of this kind.

    Args:
        of: The parts, one after the other.
        n: Number of augmented versions of each clip an epoch.
        keep_original: Whether the unchanged clip is kept too.
    """

    def __init__(self, of: Sequence[Part], n: int = 1, keep_original: bool = True):
        super().__init__(of)
        if n < 1:
            raise ValueError(f"n = {n} must be at least 1; leave 'copies' out to have none")
        self.copies = n
        self.keeps_original = keep_original


def build_augmentations(
    components: Sequence[Component], roots: Mapping[str, Path]
) -> Augmentation | None:
    """The augmentation of an experiment, prepared: its components in order; None for none."""
    if not components:
        return None
    parts = build_parts(components)
    augmentation = parts[0] if len(parts) == 1 else Chain(parts)
    augmentation.prepare(roots)
    return augmentation
