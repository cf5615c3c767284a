"""`from OCSoftmax_loss import OCSoftmax`, as Loss-Functions-Audio-Deepfake-Detection writes it."""

from losses.compatibility import OCSoftmax

__all__ = ["OCSoftmax"]
