"""A module name that no import statement can write.

importlib.import_module("AMSoftmax_loss(2)").AMSoftmaxLoss
"""

from losses.compatibility import AMSoftmaxLoss

__all__ = ["AMSoftmaxLoss"]
