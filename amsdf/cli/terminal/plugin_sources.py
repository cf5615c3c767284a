"""What plugins say of themselves, read from their source: nothing is imported, so it is quick."""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from amsdf import registry


def source_summary(kind: str, name: str) -> str:
    """The first line of a plugin's docstring; a ValueError when a package it needs is not there.

    A plugin is loaded if its source does not answer: a corpus is an object, and a module may be
    missing or not written in Python.
    """
    point = registry.find(kind, name)
    tree = _source_of(point.module)
    for module in _imported(tree) if tree else ():
        if not _is_there(module):
            raise ValueError(registry.about_missing(kind, point, module))
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == point.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return registry.summary(kind, name)


def _source_of(module: str) -> ast.Module | None:
    """The syntax tree of a module; its packages are walked, not imported."""
    package, *rest = module.split(".")
    spec = _spec_of(package)
    if spec is None or not spec.origin:
        return None
    path = Path(spec.origin)
    for part in rest:
        path = path.parent / part / "__init__.py"
        if not path.is_file():
            path = path.parent.with_suffix(".py")
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


def _imported(tree: ast.Module) -> Iterator[str]:
    """The packages that a module imports at its top."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _is_there(package: str) -> bool:
    return _spec_of(package) is not None


def _spec_of(package: str) -> ModuleSpec | None:
    if package in sys.modules:
        return getattr(sys.modules[package], "__spec__", None)
    return find_spec(package)
