"""Pictures, with matplotlib: of scores, embeddings and one verdict."""
