"""A recording on its way: received, waiting for its turn, judged together with others."""
