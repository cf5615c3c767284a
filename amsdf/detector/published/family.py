"""`Family`: one published system, composed of parts that translate their own weights.

A family knows only the recipe of the system and the beginning of the names of each part. A weight
that no part knows keeps its name, so that strict loading refuses it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from amsdf import registry
from amsdf.config import merge, read_recipe
from amsdf.published_names import PublishedNames, Sizes, begins, joined, without

KINDS = {"encoders": "encoders", "head": "heads", "loss": "losses"}

Weights = Mapping[str, Tensor]


class Part(NamedTuple):
    """An encoder, head or loss of a published system.

    Attributes:
        place: Where it is in a detector: `encoders.<view>`, `head`, `loss` or `loss.parts.<n>`.
        plugin: Its name.
        inside: What comes before the names of its weights in the file.
    """

    place: str
    plugin: str
    inside: str = ""

    @property
    def translator(self) -> Any:
        """The class of the plugin."""
        return registry.load(KINDS[self.place.split(".")[0]], self.plugin)


@dataclass(frozen=True)
class Family:
    """One published system; its functions are pure."""

    name: str
    #: Beginnings of names that all occur, and tell this family from those after it.
    marks: tuple[str, ...]
    #: The recipe that describes it; sizes are taken from the weights.
    recipe: str
    #: A weight that two parts know belongs to the first.
    parts: tuple[Part, ...]
    #: Beginnings of names that belong to no part and have no influence on the output.
    unused: Collection[str] = ()
    #: The view whose speech model may be in another file, given by --ssl.
    ssl_view: str | None = None
    #: Which of its two classes is bona fide; None: its authors contradict themselves.
    bonafide_class: int | None = 1
    #: Of a system of several files, what the name of each says.
    file_parts: tuple[str, ...] = ()
    #: A file that, if it is beside this one, is needed too.
    companion: str = ""

    def recognises(self, names: Collection[str]) -> bool:
        """Whether weights of these names are of this family."""
        return all(any(begins(name, mark) for name in names) for mark in self.marks)

    def gather(self, states: Mapping[Path, Weights]) -> dict[str, Tensor]:
        """The weights of all files together; the name of a file begins those of its weights."""
        found: dict[str, Tensor] = {}
        given = {path: self._part_of(path) for path in states}
        for path, state in states.items():
            for name, tensor in state.items():
                whole = joined(given[path], name)
                if whole in found:
                    raise ValueError(f"{path}: {name} is in another file too; give each file once")
                found[whole] = tensor
        missing = [part for part in self.file_parts if part not in given.values()]
        if missing:
            raise ValueError(
                f"{next(iter(states))}: {self.name} is in {len(self.file_parts)} files; `import` "
                f"them together. Missing: {', '.join(missing)}"
            )
        return found

    def _part_of(self, path: Path) -> str:
        part = next((part for part in self.file_parts if part in path.stem), "")
        if self.file_parts and not part:
            raise ValueError(
                f"{path}: which part of {self.name} it is cannot be told from its name; give the "
                "files the names that they were published with"
            )
        return part

    def translate(
        self, weights: Weights, ssl: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Published weights -> nested dictionaries of an experiment, and weights under our names.

        Args:
            weights: The weights as published.
            ssl: Arguments of its speech model; without them, its weights decide.
        """
        _, others = PublishedNames(unused=self.unused).translate(weights)
        ours: dict[str, Tensor] = {}
        for part in self.parts:
            inside = [name for name in others if begins(name, part.inside)]
            given = {without(name, part.inside): others.pop(name) for name in inside}
            own, left = part.translator.from_published(given)
            ours |= {joined(part.place, name): tensor for name, tensor in own.items()}
            others |= {joined(part.inside, name): tensor for name, tensor in left.items()}
        for name in others:
            if name in ours:
                raise ValueError(f"{name!r} and another weight both mean {name!r}")
        return self._describe(ours, ssl), ours | others

    def _describe(self, ours: Weights, ssl: Mapping[str, Any] | None) -> dict[str, Any]:
        """Views, head, loss and clip of the recipe, with the sizes of the weights."""
        shipped = read_recipe(self.recipe)
        found = {key: shipped[key] for key in ("views", "head", "loss", "clip")}
        found["views"] = {
            name: {key: value for key, value in view.items() if key != "pretrained"}
            for name, view in shipped["views"].items()
        }
        if self.ssl_view and ssl is not None:
            found["views"][self.ssl_view] = {**ssl, **found["views"][self.ssl_view]}
        elif self.ssl_view and not any(begins(name, f"encoders.{self.ssl_view}") for name in ours):
            raise ValueError("comes without its speech model (XLS-R); `import` it with --ssl PATH")

        for part in self.parts:
            kind, _, view = part.place.partition(".")
            if kind == "loss" or (ssl is not None and view and view == self.ssl_view):
                continue
            arguments = part.translator.arguments_of(self._sizes(part, ours))
            found = merge(found, {"views": {view: arguments}} if view else {kind: arguments})
        return found

    def _sizes(self, part: Part, ours: Weights) -> Sizes:
        own = {
            without(name, part.place): tensor
            for name, tensor in ours.items()
            if begins(name, part.place)
        }
        return Sizes(own, lambda name: self.published_name(joined(part.place, name)))

    def published_name(self, name: str) -> str:
        """Our name of a weight -> theirs; that of a speech model stays."""
        for part, names in self._names:
            if begins(name, part.place):
                theirs = names.theirs(without(name, part.place))
                if theirs is not None:
                    return joined(part.inside, theirs)
        return name

    @cached_property
    def ssl_encoder(self) -> Any:
        """The encoder class of `ssl_view`."""
        return registry.load(
            "encoders", read_recipe(self.recipe)["views"][self.ssl_view]["encoder"]
        )

    @cached_property
    def _names(self) -> list[tuple[Part, PublishedNames]]:
        return [(part, part.translator.published_names()) for part in self.parts]

    def beginnings(self) -> Iterator[tuple[str, str]]:
        """Every beginning of a name that is known, theirs and ours."""
        for part, names in self._names:
            for theirs, ours in names.beginnings.items():
                yield joined(part.inside, theirs), joined(part.place, ours)
