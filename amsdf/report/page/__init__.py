"""The HTML page of results, its sections, and the tables written beside it."""
