"""The model as a thing: built, saved, opened, described, and asked for scores."""
