"""How a corpus is named, where it is, and what `open_corpus` makes of that."""
