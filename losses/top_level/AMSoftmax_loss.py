"""`from AMSoftmax_loss import AMSoftmaxLoss`, in Loss-Functions-Audio-Deepfake-Detection."""

from losses.compatibility import AMSoftmaxLoss

__all__ = ["AMSoftmaxLoss"]
