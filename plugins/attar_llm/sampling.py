"""Sampling parameters a step may set over those of its model. Unknown names are errors, as in `models:`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from attar.api import Sampling


class SamplingOverrides(Sampling):
    """The names and bounds of `models.*.sampling`."""

    def given(self) -> dict[str, Any] | None:
        """Only what was set, or None where nothing was: unset names must not shadow the model's own."""
        return self._given

    @cached_property
    def _given(self) -> dict[str, Any] | None:  # asked for with every call
        return self.model_dump(exclude_none=True) or None
