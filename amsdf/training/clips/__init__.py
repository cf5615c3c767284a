"""The clips of a run: in batches, with views that are kept, and without those that are bad."""
