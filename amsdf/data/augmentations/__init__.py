"""Augmentations: random changes of training recordings, each a plugin of `amsdf.augmentations`."""

from amsdf.data.augmentations.compose import build_augmentations
from amsdf.data.augmentations.contract import Augmentation

__all__ = ["Augmentation", "build_augmentations"]
