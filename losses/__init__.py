"""Losses: embedding to training loss and score."""

from losses.compatibility import AMSoftmaxLoss, AOCloss, OCSoftmax

__all__ = ["AMSoftmaxLoss", "AOCloss", "OCSoftmax"]
