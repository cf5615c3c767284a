"""`Overrides`: what changes a recipe or a file, in the words of the command line.

Overrides(recipe="amsdf", views=["text=whisper:size=small"], loss="acs", epochs=5)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from amsdf.config.experiment import Experiment
from amsdf.config.merging import merge
from amsdf.config.recipes import read_recipe, read_yaml
from amsdf.registry import nearest

#: Fields that set one key each, and that key.
SINGLE_KEYS = {
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "learning_rate": "train.learning_rate",
    "precision": "train.precision",
    "train": "train.corpora",
    "dev": "dev",
    "seed": "seed",
    "name": "name",
}


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Overrides > file > recipe > defaults; what is None or empty changes nothing.

    Example:
        >>> wanted = Overrides(recipe="aasist-l", loss="acs", epochs=5)
        >>> build_experiment(wanted, lambda encoder, file: {}).train.epochs
        5
    """

    #: A shipped experiment.
    recipe: str | None = None
    #: An experiment in YAML.
    config: str | Path | None = None
    #: `NAME=ENCODER:key=value,…`, or `NAME=none` to take a view away.
    views: Sequence[str] = ()
    #: `NAME:key=value,…`, as are `loss` and each of `augment`.
    head: str | None = None
    loss: str | None = None
    augment: Sequence[str] = ()
    #: Names of views.
    freeze: Sequence[str] = ()
    #: Names of corpora.
    train: Sequence[str] | None = None
    dev: Sequence[str] | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    precision: str | None = None
    seed: int | None = None
    name: str | None = None
    #: `KEY=VALUE` for any other key: `train.patience=5`.
    settings: Sequence[str] = ()

    def layer(self) -> dict[str, Any]:
        """What they say, without recipe and file, as nested dictionaries."""
        layer: dict[str, Any] = {"views": _views(self.views)} if self.views else {}

        if self.head:
            layer["head"] = parse_component(self.head, "name")
        if self.loss:
            layer["loss"] = parse_component(self.loss, "name")
        if self.augment:
            layer["augment"] = [parse_component(word, "name") for word in self.augment]

        for field, key in SINGLE_KEYS.items():
            if getattr(self, field) is not None:
                set_key(layer, key, getattr(self, field))
        for name in self.freeze:
            set_key(layer, f"views.{name}.freeze", True)
        for word in self.settings:
            key, equals, value = word.partition("=")
            if not key or not equals:
                raise ValueError(f"--set {word}: write KEY=VALUE, for instance train.epochs=5")
            set_key(layer, key, parse_value(value))
        return layer


def build_experiment(
    overrides: Overrides, architecture_of: Callable[[str, str], Mapping[str, Any]]
) -> Experiment:
    """The experiment that recipe, file and overrides describe.

    `architecture_of(encoder, file)` gives the constructor arguments that a pretrained file decides;
    they are written into the experiment, below what a person set.
    """
    data: dict[str, Any] = {}
    if overrides.recipe:
        data = merge(data, read_recipe(overrides.recipe))
    if overrides.config:
        data = merge(data, read_yaml(Path(overrides.config)))

    layer = overrides.layer()
    _check_views(layer.get("views", {}), _views_of(data))
    data = with_architectures(merge(data, layer), architecture_of)

    if not data.get("views"):
        raise ValueError(
            "nothing to build: give --recipe, --config or --view NAME=ENCODER "
            "(for instance --recipe amsdf)"
        )
    return Experiment.parse(data)


def with_architectures(
    data: Mapping[str, Any], architecture_of: Callable[[str, str], Mapping[str, Any]]
) -> dict[str, Any]:
    """Nested dictionaries as `merge` gives them, with the arguments that weight files decide."""
    views = dict(_views_of(data))
    for name, view in views.items():
        if isinstance(view, Mapping) and view.get("pretrained"):
            found = architecture_of(str(view.get("encoder")), str(view["pretrained"]))
            views[name] = {**view, "args": {**found, **view.get("args", {})}}
    return {**data, "views": views} if views else dict(data)


def _views_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The views, if they are what they should be; if not, the experiment says so."""
    views = data.get("views")
    return views if isinstance(views, Mapping) else {}


def _check_views(changes: Mapping[str, Any], views: Mapping[str, Any]) -> None:
    """Refuse to take away or change a view that is not there."""
    fresh = {name for name, view in changes.items() if view and "encoder" in view}
    known = [*views, *sorted(fresh - views.keys())]
    for name in changes:
        if name not in known:
            listed = f"Views: {', '.join(known)}" if known else "There are none yet"
            raise ValueError(f"no view named {name!r}.{nearest(name, known)} {listed}")


def _views(words: Sequence[str]) -> dict[str, Any]:
    views: dict[str, Any] = {}
    for word in words:
        name, _, component = word.partition("=")
        if not component:
            raise ValueError(f"--view {word}: write NAME=ENCODER, for instance text=whisper")
        views[name] = None if component == "none" else parse_component(component, "encoder")
    return views


def parse_component(word: str, key: str) -> dict[str, Any]:
    """`whisper:size=small,layer=all` -> {key: whisper, size: small, layer: all}."""
    name, _, rest = word.partition(":")
    found: dict[str, Any] = {key: name}
    for pair in re.split(r",(?![^\[{]*[\]}])", rest) if rest else []:
        argument, equals, value = pair.partition("=")
        argument = argument.strip()
        if not equals:
            raise ValueError(f"{word}: write {name}:argument=value,argument=value")
        if argument == key:
            raise ValueError(f"{word}: write args={{{key}: …}} for an argument called {key!r}")
        found[argument] = parse_value(value)
    return found


def parse_value(text: str) -> Any:
    """A YAML value; 1e-4 is a number here, though YAML 1.1 reads it as text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value


def set_key(data: dict[str, Any], dotted: str, value: Any) -> None:
    """Set `a.b.c` in nested dictionaries."""
    *path, last = dotted.split(".")
    for key in path:
        data = data.setdefault(key, {})
        if not isinstance(data, dict):
            raise ValueError(f"--set {dotted}: {key!r} is a value, not a group of keys")
    data[last] = value
