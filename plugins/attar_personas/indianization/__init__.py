"""Personas rewritten for India: labelled answers, their domains, a question in each, and a long text."""
