"""Readers of documents, one module per format, and their cleaning."""
