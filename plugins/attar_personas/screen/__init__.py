"""What must not stand in a persona: personal data, and people who exist.

`pii` and `real_names` work on one text and say where; `Screen` (`personas.screen`) is the step for many.
"""

from __future__ import annotations

from attar_personas.screen.names import real_names
from attar_personas.screen.pii import Hit, pii

__all__ = ["Hit", "pii", "real_names"]
