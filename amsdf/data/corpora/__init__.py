"""The corpora of the field: one reader a family, and how a corpus is named and found."""
