"""Detector and recordings to score files; score files, whoever wrote them, to scores."""

from amsdf.scoring.score_files.table import Scores, read_scores, write_scores
from amsdf.scoring.training_data import overlap_of

__all__ = ["Scores", "overlap_of", "read_scores", "write_scores"]
