"""What there is to choose from: the names of plugins and recipes that match a pattern."""

import fnmatch

from amsdf.config.recipes import recipe_names
from amsdf.registry import names


def list_encoders(pattern: str = "*") -> list[str]:
    """Names of encoders that match a pattern.

    Example:
        >>> list_encoders("*whisper*")
        ['whisper']
    """
    return fnmatch.filter(names("encoders"), pattern)


def list_heads(pattern: str = "*") -> list[str]:
    """Names of heads that match a pattern.

    Example:
        >>> list_heads("*aasist")
        ['aasist', 'ssl-aasist']
    """
    return fnmatch.filter(names("heads"), pattern)


def list_losses(pattern: str = "*") -> list[str]:
    """Names of losses that match a pattern.

    Example:
        >>> list_losses("*oc-softmax")
        ['eoc-softmax', 'oc-softmax']
    """
    return fnmatch.filter(names("losses"), pattern)


def list_corpora(pattern: str = "*") -> list[str]:
    """Names of corpora that match a pattern.

    Example:
        >>> list_corpora("asvspoof2021-*")
        ['asvspoof2021-df', 'asvspoof2021-la', 'asvspoof2021-pa']
    """
    return fnmatch.filter(names("corpora"), pattern)


def list_augmentations(pattern: str = "*") -> list[str]:
    """Names of augmentations that match a pattern.

    Example:
        >>> list_augmentations("raw*")
        ['rawboost']
    """
    return fnmatch.filter(names("augmentations"), pattern)


def list_recipes(pattern: str = "*") -> list[str]:
    """Names of shipped recipes that match a pattern.

    Example:
        >>> list_recipes("aasist*")
        ['aasist', 'aasist-l']
    """
    return fnmatch.filter(recipe_names(), pattern)
