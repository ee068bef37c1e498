"""What a run looks like while it goes on, and what it says at its end. Rich is imported only for a terminal."""

from __future__ import annotations

from attar.display.make import Mode, make_display
from attar.display.summary import details, summary

__all__ = ["Mode", "details", "make_display", "summary"]
