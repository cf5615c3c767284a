"""What every connection and request passes: time limits, checks, counts, the log."""
