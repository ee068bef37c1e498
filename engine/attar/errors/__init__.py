"""Diagnostics: what went wrong for a user, as data, and how it is shown."""

from attar.errors.diagnostic import AttarError, Diagnostic, Severity, Span, fail
from attar.errors.render import ordered, render, to_json

__all__ = ["AttarError", "Diagnostic", "Severity", "Span", "fail", "ordered", "render", "to_json"]
