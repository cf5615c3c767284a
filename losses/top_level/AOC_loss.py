"""`from AOC_loss import AOCloss`, as the documents of avishai111's two repositories write it."""

from losses.compatibility import AOCloss

__all__ = ["AOCloss"]
