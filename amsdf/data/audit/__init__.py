"""What is wrong with a corpus: leaks between splits, broken files, shortcuts.

`check_corpora` is looked up on first use: it brings scikit-learn, which a list of corpora must not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsdf.data.audit.corpus_check import check_corpora

__all__ = ["check_corpora"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'amsdf.data.audit' has no attribute {name!r}")
    return getattr(import_module("amsdf.data.audit.corpus_check"), name)
