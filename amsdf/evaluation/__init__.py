"""Score files to results: figures with intervals, breakdowns, fusion, comparison, studies."""

from amsdf.evaluation.matrix import Matrix, matrix
from amsdf.evaluation.results import Result, ResultSettings, result_of

__all__ = ["Matrix", "Result", "ResultSettings", "matrix", "result_of"]
