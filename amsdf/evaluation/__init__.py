"""Score files to results: figures with intervals, breakdowns, fusion, comparison, studies."""

from amsdf.evaluation.results import Matrix, Result, matrix, result_of

__all__ = ["Matrix", "Result", "matrix", "result_of"]
