"""One recording to a verdict, in words and in tables, and why it is so."""
