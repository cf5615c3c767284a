"""Detector and recordings to score files; score files, whoever wrote them, to scores."""
