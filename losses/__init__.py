"""Losses: embedding to training loss and score."""

from losses.seeds import AMSoftmaxLoss, AOCloss, OCSoftmax

__all__ = ["AMSoftmaxLoss", "AOCloss", "OCSoftmax"]
