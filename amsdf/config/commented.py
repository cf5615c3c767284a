"""An experiment as YAML with a comment on every key, to be edited by a person."""

import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import yaml

from amsdf.config.experiment import Component, Experiment, View
from amsdf.config.settings import Settings

_HEAD = """\
# An experiment. Train it with `amsdf train --config FILE --out runs/mine`; add --dry-run to see
# its size first. Every key is here with its value; what you delete has its default.
# `amsdf plugins` lists encoders, heads, losses and augmentations, `amsdf plugins NAME` their
# arguments, which are written beside the name. `amsdf corpora` lists corpora.
"""


def commented(experiment: Experiment) -> str:
    """YAML with a comment on every key; `Experiment.from_yaml` gives the experiment back."""
    return _HEAD + "\n".join(_lines(experiment)) + "\n"


def _lines(settings: Settings) -> Iterator[str]:
    comments = comments_of(type(settings))
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        yield from (f"# {line}" for line in comments.get(key, ()))
        if get_origin(field.annotation) is Literal:
            yield f"# One of: {', '.join(get_args(field.annotation))}."
        if key == "views":
            yield "views:"
            yield from map(_indented, _views(value))
        elif isinstance(value, Settings) and not isinstance(value, Component):
            yield from (
                f"\n# {line}" for line in (inspect.getdoc(type(value)) or "").split("\n")[:1]
            )
            yield f"{key}:"
            yield from map(_indented, _lines(value))
        else:
            yield f"{key}: {_inline(settings.model_dump(mode='json')[key])}"


def _views(views: dict[str, View]) -> Iterator[str]:
    """A line a view, after the keys that any of them may have."""
    comments = comments_of(View)
    for key, field in View.model_fields.items():
        if key in ("encoder", "args"):
            continue
        yield from (f"# {line}" for line in comments.get(key, ()))
        yield f"#   {key}: {_inline(field.default)}"
    for name, view in views.items():
        yield f"{name}: {_inline(view.model_dump(mode='json'))}"


def comments_of(model: type[Settings]) -> dict[str, list[str]]:
    """The lines of comment (`#:`) above each field."""
    found: dict[str, list[str]] = {}
    above: list[str] = []
    for line in map(str.strip, inspect.getsource(model).splitlines()):
        if line.startswith("#:"):
            above.append(line.removeprefix("#:").strip())
            continue
        name = line.split(":")[0]
        if above and name in model.model_fields:
            found[name] = above
        above = []
    return found


def _inline(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _indented(line: str) -> str:
    return "\n".join(f"  {part}" if part else "" for part in line.split("\n"))
