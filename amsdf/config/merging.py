"""Nested dictionaries of an experiment, laid over each other before they are validated."""

from collections.abc import Mapping
from typing import Any

from amsdf.config.experiment import Component, View, gather_arguments, named


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid upon `base`, key by key; a component of another name replaces the whole one.

    Null takes a view away (`views: {text: null}`), or sets a whole group back to its defaults.
    """
    merged = _long_form(base)
    for key, value in _long_form(over).items():
        below = merged.get(key)
        if value is None and isinstance(below, Mapping):
            del merged[key]
        elif key == "views":
            merged[key] = _merge_views(below, value)
        elif key in ("head", "loss"):
            merged[key] = _merge_component(below, value)
        else:
            merged[key] = _merge_values(below, value)
    return merged


def _long_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Shorthands written out, so that they can be merged: components and `train: [...]`."""
    data = dict(data)
    for key in ("head", "loss"):
        if key in data:
            data[key] = gather_arguments(Component, named(data[key], "name"))
    if isinstance(data.get("train"), list):
        data["train"] = {"corpora": data["train"]}
    if isinstance(data.get("views"), Mapping):
        data["views"] = {
            name: gather_arguments(View, named(view, "encoder"))
            for name, view in data["views"].items()
        }
    return data


def _merge_views(below: Any, over: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(over, Mapping):
        return over
    views = dict(below)
    for name, view in over.items():
        if view is None and name in views:
            del views[name]
        else:
            views[name] = _merge_component(views.get(name), view)
    return views


def _merge_component(below: Any, over: Any) -> Any:
    """Another plugin brings none of the old arguments along."""
    if isinstance(below, Mapping) and isinstance(over, Mapping):
        for key in ("name", "encoder"):
            if key in over and below.get(key) != over[key]:
                return over
    return _merge_values(below, over)


def _merge_values(below: Any, over: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(over, Mapping):
        return over
    return {**below, **{key: _merge_values(below.get(key), over[key]) for key in over}}
