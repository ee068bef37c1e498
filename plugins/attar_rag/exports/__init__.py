"""Conversations as training files: chat formats, thought policies, splits that no document crosses."""
