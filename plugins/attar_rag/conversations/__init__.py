"""Conversations grounded in retrieved chunks: what they are written from, checked by, and how they are roughened."""
