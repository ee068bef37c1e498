"""Retrieval: chunks are embedded where wanted, and found again by words, by embeddings or by both."""
