"""Shipped recipes and other YAML files as nested dictionaries."""

import re
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from amsdf.registry import nearest

RECIPES = files("amsdf.config") / "recipes"


def recipe_names() -> list[str]:
    """The shipped recipes."""
    return sorted(path.name[:-5] for path in RECIPES.iterdir() if path.name.endswith(".yaml"))


def read_recipe(name: str) -> dict[str, Any]:
    """A shipped recipe as nested dictionaries."""
    return read_yaml_text(recipe_text(name), name)


def recipe_text(name: str) -> str:
    """A shipped recipe as it is written, with its comments."""
    if name not in recipe_names():
        raise ValueError(
            f"no recipe named {name!r}.{nearest(name, recipe_names())} "
            f"Available: {', '.join(recipe_names())}"
        )
    return (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")


def recipe_summary(name: str) -> str:
    """The first sentence of a recipe's comment."""
    lines = takewhile(lambda line: line.startswith("#"), recipe_text(name).splitlines())
    comment = " ".join(line.lstrip("# ") for line in lines)
    return re.split(r"(?<=\.)\s", comment)[0]


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping."""
    try:
        return read_yaml_text(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise ValueError(f"{path}: {reason}; a YAML file is needed") from None


def read_yaml_text(text: str, source: str) -> dict[str, Any]:
    """YAML text that holds a mapping; `source` names it in errors."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{source}: must hold keys and values, not {type(data).__name__}")
    return data
