"""Sampling parameters a step may set over those of its model. Unknown names are errors, as in `models:`."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class SamplingOverrides(BaseModel):
    """The same names and bounds as `models.*.sampling`; a test fails when the two drift apart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(None, ge=0, le=5)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1)
    min_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    min_tokens: int | None = Field(None, ge=0)
    stop: str | list[str] | None = None
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    chat_template_kwargs: dict[str, Any] | None = None

    def given(self) -> dict[str, Any] | None:
        """Only what was set, or None where nothing was: unset names must not shadow the model's own."""
        return self._given

    @cached_property
    def _given(self) -> dict[str, Any] | None:  # asked for with every call
        return self.model_dump(exclude_none=True) or None
