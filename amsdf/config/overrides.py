"""Words of the command line to an `Experiment`: flags > file > recipe > defaults."""

import re
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from amsdf.config.experiment import Experiment, merge
from amsdf.config.recipes import read_recipe, read_yaml
from amsdf.registry import nearest

#: Flags that set one key each: attribute of the parsed arguments -> dotted key.
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


def build_experiment(
    args: Namespace, architecture_of: Callable[[str, str], Mapping[str, Any]]
) -> Experiment:
    """The experiment that recipe, file and flags describe.

    `architecture_of(encoder, file)` gives the constructor arguments that a pretrained file decides;
    they are written into the experiment, and what a person set stands above them.
    """
    data: dict[str, Any] = {}
    if args.recipe:
        data = merge(data, read_recipe(args.recipe))
    if args.config:
        data = merge(data, read_yaml(Path(args.config)))
    layer = flag_layer(args)
    _check_views(layer.get("views", {}), _views_of(data))
    data = merge(data, layer)
    for key, view in _views_of(data).items():
        if isinstance(view, dict) and view.get("pretrained"):
            found = architecture_of(str(view.get("encoder")), str(view["pretrained"]))
            data["views"][key] = {**found, **view}
    if not data.get("views"):
        raise ValueError(
            "nothing to build: give --recipe, --config or --view NAME=ENCODER "
            "(for instance --recipe amsdf)"
        )
    return Experiment.parse(data)


def _views_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The views, if they are what they should be; if not, the experiment says so."""
    views = data.get("views")
    return views if isinstance(views, Mapping) else {}


def _check_views(flags: Mapping[str, Any], views: Mapping[str, Any]) -> None:
    """Refuse flags that take away or change a view that is not there."""
    for name, view in flags.items():
        if name not in views and "encoder" not in (view or {}):
            known = f"Views: {', '.join(views)}" if views else "There are none yet"
            raise ValueError(f"no view named {name!r}.{nearest(name, views)} {known}")


def flag_layer(args: Namespace) -> dict[str, Any]:
    """What the flags alone say, as nested dictionaries."""
    layer: dict[str, Any] = {"views": _views(args.view)} if args.view else {}
    for kind in ("head", "loss"):
        if getattr(args, kind):
            layer[kind] = parse_component(getattr(args, kind), "name")
    if args.augment:
        layer["augment"] = [parse_component(word, "name") for word in args.augment]
    for attribute, key in SINGLE_KEYS.items():
        if getattr(args, attribute) is not None:
            set_key(layer, key, getattr(args, attribute))
    for name in args.freeze or []:
        set_key(layer, f"views.{name}.freeze", True)
    for word in args.set or []:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ValueError(f"--set {word}: write KEY=VALUE, for instance train.epochs=5")
        set_key(layer, key, parse_value(value))
    return layer


def _views(words: list[str]) -> dict[str, Any]:
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
        if not equals:
            raise ValueError(f"{word}: write {name}:argument=value,argument=value")
        found[argument.strip()] = parse_value(value)
    return found


def parse_value(text: str) -> Any:
    """A YAML value; numbers such as 1e-4, which YAML takes for words, are numbers."""
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
