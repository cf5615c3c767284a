"""Score files and their keys: written, read whoever wrote them, joined and pooled."""
