"""The fixtures plugin authors get."""

from __future__ import annotations

from attar.testing.pytest_plugin import fake_context, stand_in

__all__ = ["fake_context", "stand_in"]
