"""Equal error rate where the straight lines between the points of the ROC curve cross the diagonal.

The Speech Anti-Spoofing Arena (speech_spoof_bench 0.3.0) computes it so.
"""

import numpy as np
from numpy.typing import ArrayLike

from amsdf.metrics.detection import Eer, both_classes


def eer_interpolated(bonafide: ArrayLike, spoof: ArrayLike) -> Eer:
    """Equal error rate on distinct scores, interpolated between the two that surround it.

    A trial is accepted when its score is at least the threshold; equal scores are decided together.
    Where even the highest score lets in a larger share of spoof than it rejects of bona fide, the
    rates do not cross: the nearest threshold counts, without interpolation.
    """
    bonafide, spoof = both_classes(bonafide, spoof)
    thresholds = np.unique(np.concatenate([bonafide, spoof]))
    frr = np.searchsorted(np.sort(bonafide), thresholds) / bonafide.size
    far = (spoof.size - np.searchsorted(np.sort(spoof), thresholds)) / spoof.size

    gap = far - frr
    behind = np.flatnonzero(gap <= 0)
    if not behind.size:
        nearest = int(np.argmin(np.abs(gap)))
        return Eer(float((far[nearest] + frr[nearest]) / 2), float(thresholds[nearest]))

    right = int(behind[0])
    left = right - 1  # the lowest threshold accepts all: its gap is 1
    share = gap[left] / (gap[left] - gap[right])
    rate = far[left] + share * (far[right] - far[left])
    # Not `a + share * (b - a)`: the difference of two huge scores overflows.
    threshold = (1 - share) * thresholds[left] + share * thresholds[right]
    return Eer(float(rate), float(threshold))
