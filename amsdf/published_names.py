"""How published checkpoints call the weights of an encoder, head or loss, and what sizes tell.

Each class translates its own weights; `amsdf.detector.published` finds it through the registry.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


def begins(name: str, start: str) -> bool:
    """Whether `start` is the beginning of a name, in whole words; '' is the beginning of all."""
    return not start or name == start or name.startswith(f"{start}.")


def without(name: str, start: str) -> str:
    """A name without its beginning."""
    return name[len(start) :].removeprefix(".")


def joined(*parts: str) -> str:
    """Parts of a name, empty ones left out: ('head', '', 'linear.bias') -> head.linear.bias."""
    return ".".join(part for part in parts if part)


@dataclass(frozen=True)
class PublishedNames:
    """The names of weights in a file ("theirs") and here ("ours"); dots separate words.

    Attributes:
        beginnings: Beginnings of names, theirs -> ours; the longest that fits counts.
        words: Single words after the beginning, theirs -> ours.
        unused: Their beginnings of weights without influence on the output, which are left out.
    """

    beginnings: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    unused: Collection[str] = ()

    def ours(self, name: str) -> str | None:
        """Their name of a weight -> ours, None if it is not known."""
        return _translated(name, self.beginnings, self.words)

    def theirs(self, name: str) -> str | None:
        """Our name of a weight -> theirs, None if it is not known."""
        return _translated(name, _turned(self.beginnings), _turned(self.words))

    def translate(
        self, weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights under their names -> those that are known under ours, and the others."""
        ours: dict[str, Tensor] = {}
        others: dict[str, Tensor] = {}
        for name, tensor in weights.items():
            if any(begins(name, start) for start in self.unused):
                continue
            known = self.ours(name)
            (others if known is None else ours)[known or name] = tensor
        return ours, others


def _translated(name: str, beginnings: Mapping[str, str], words: Mapping[str, str]) -> str | None:
    fitting = [start for start in beginnings if begins(name, start)]
    if not fitting:
        return None
    start = max(fitting, key=len)
    rest = [words.get(word, word) for word in without(name, start).split(".")]
    return joined(beginnings[start], ".".join(rest))


def _turned(names: Mapping[str, str]) -> dict[str, str]:
    return {ours: theirs for theirs, ours in names.items()}


class Sizes:
    """Sizes of the weights of one part, by our names; a refusal gives the name in the file.

    Args:
        weights: Weights under our names.
        called: Our name -> the name in the file.
    """

    def __init__(self, weights: Mapping[str, Tensor], called: Callable[[str], str] = str):
        self.weights, self.called = weights, called

    def __contains__(self, name: str) -> bool:
        return name in self.weights

    def of(self, name: str, axis: int = 0) -> int:
        """Length of one axis of a weight that must be there."""
        if name not in self.weights:
            raise ValueError(f"weights do not fit the model: 1 missing: {self.called(name)}")
        shape = tuple(self.weights[name].shape)
        if axis >= len(shape):
            raise ValueError(
                f"weights do not fit the model: 1 misshapen: {self.called(name)} {shape}"
            )
        return shape[axis]

    def count(self, pattern: str) -> int:
        """How many numbers, from 0 to the largest, a pattern has: `layers.{}.linear.bias`."""
        head, _, tail = pattern.partition("{}")
        numbers = [
            name[len(head) : len(name) - len(tail)]
            for name in self.weights
            if name.startswith(head) and name.endswith(tail)
        ]
        return max((int(number) + 1 for number in numbers if number.isdigit()), default=0)


class WithPublishedNames:
    """What an encoder, head or loss says about published weights of its kind; all optional."""

    @classmethod
    def published_names(cls) -> PublishedNames:
        """Their names and ours, relative to this part."""
        return PublishedNames()

    @classmethod
    def from_published(
        cls, weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights under their names -> those of this part under ours, and the others."""
        return cls.published_names().translate(weights)

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments that the sizes of translated weights decide."""
        return {}
