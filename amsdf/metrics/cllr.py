"""How well scores mean what they say: Cllr of log-likelihood ratios, ECE of probabilities.

Cllr and its minimum are those of Brümmer and du Preez, "Application-independent evaluation of
speaker detection" (Computer Speech & Language, 2006).
"""

from math import log

import numpy as np
import scipy
from numpy.typing import ArrayLike

from amsdf.metrics.detection import both_classes, mean


def cllr(bonafide: ArrayLike, spoof: ArrayLike) -> float:
    """Cost in bits of scores taken as natural-log likelihood ratios; finite for any finite score.

    0 is perfect, 1 is what a detector costs that always says "no idea".
    """
    bonafide, spoof = both_classes(bonafide, spoof)
    return sum(mean(np.logaddexp(0, llr)) / 2 / log(2) for llr in (-bonafide, spoof))


def min_cllr(bonafide: ArrayLike, spoof: ArrayLike) -> float:
    """Cllr after the best monotone calibration (pool adjacent violators); equals stay together."""
    bonafide, spoof = both_classes(bonafide, spoof)
    levels, index = np.unique(np.concatenate([bonafide, spoof]), return_inverse=True)
    num_bonafide = np.bincount(index[: bonafide.size], minlength=levels.size)
    num_spoof = np.bincount(index[bonafide.size :], minlength=levels.size)
    total = num_bonafide + num_spoof
    share = scipy.optimize.isotonic_regression(num_bonafide / total, weights=total).x
    prior_odds = bonafide.size / spoof.size
    real, fake = num_bonafide > 0, num_spoof > 0
    odds = share[real] / (1 - share[real] + (share[real] == 1))
    inverse = np.where(share[real] == 1, 0.0, prior_odds / odds)
    direct = share[fake] / (1 - share[fake]) / prior_odds
    bits_real = num_bonafide[real] @ np.log2(1 + inverse) / bonafide.size
    bits_fake = num_spoof[fake] @ np.log2(1 + direct) / spoof.size
    return float((bits_real + bits_fake) / 2)


def ece(bonafide: ArrayLike, spoof: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of scores that are probabilities of bona fide.

    The mean distance, over equally wide bins, between what was said and how often it was so.
    """
    bonafide, spoof = both_classes(bonafide, spoof)
    stated = np.concatenate([bonafide, spoof])
    if stated.min() < 0 or stated.max() > 1:
        raise ValueError(
            f"ece: scores run from {stated.min():g} to {stated.max():g}; "
            "they must be probabilities in [0, 1]: calibrate them first"
        )
    true = np.concatenate([np.ones(bonafide.size), np.zeros(spoof.size)])
    which = np.minimum((stated * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=stated - true, minlength=bins)
    return float(np.abs(gaps).sum() / stated.size)
