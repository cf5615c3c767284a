"""Recordings to the parts that a detector listens to, and parts to scores and embeddings."""
