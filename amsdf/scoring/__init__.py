"""Detector and recordings to score files; score files, whoever wrote them, to scores."""

from amsdf.scoring.score_files import Scores, read_scores, write_scores

__all__ = ["Scores", "read_scores", "write_scores"]
