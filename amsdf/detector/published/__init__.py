"""Other people's checkpoints, opened as detectors: names translated, weights loaded strictly."""

from amsdf.detector.published.families import FAMILIES
from amsdf.detector.published.family import Family
from amsdf.detector.published.reading import bonafide_class_of, load, read

__all__ = ["FAMILIES", "Family", "bonafide_class_of", "load", "read"]
