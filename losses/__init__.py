"""Losses: embedding to training loss and score.

The names of other people's loss files are looked up on first use: they bring torch with them, and
a list of plugins needs none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from losses.compatibility import AMSoftmaxLoss, AOCloss, OCSoftmax

__all__ = ["AMSoftmaxLoss", "AOCloss", "OCSoftmax"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'losses' has no attribute {name!r}")
    return getattr(import_module("losses.compatibility"), name)
