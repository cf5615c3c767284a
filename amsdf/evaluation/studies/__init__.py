"""Studies: many runs that differ in a few things, and what the differences are worth."""
