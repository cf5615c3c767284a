"""Losses: embedding to training loss and score."""
