"""What is wrong with a corpus: leaks between splits, broken files, shortcuts."""
