"""Where detectors and their weights are: saved, found, fetched, opened, uploaded."""
