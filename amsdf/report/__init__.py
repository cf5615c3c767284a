"""Results to what people look at: tables, pictures and the page.

Pictures are looked up on first use: they bring matplotlib, which most commands must not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amsdf.report.table import Table, percent, to_csv, to_latex, to_markdown, to_text

if TYPE_CHECKING:
    from amsdf.report.pictures.verdict_plot import draw_verdict, outline

_PICTURES = ("draw_verdict", "outline")

__all__ = [
    "Table",
    "draw_verdict",
    "outline",
    "percent",
    "to_csv",
    "to_latex",
    "to_markdown",
    "to_text",
]


def __getattr__(name: str) -> Any:
    if name not in _PICTURES:
        raise AttributeError(f"module 'amsdf.report' has no attribute {name!r}")
    return getattr(import_module("amsdf.report.pictures.verdict_plot"), name)
