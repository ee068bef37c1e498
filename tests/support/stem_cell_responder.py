"""Answers the prompts of the published stem-cell example, and no other prompt: each must be the golden text itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from support.persona_responder import verdict

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "stem_cell"
STAGES = ("1_persona", "2_question", "3_text")


def golden(name: str) -> str:
    """A golden text, without the newline that ends its file."""
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")


def respond(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """The example's answer to the stage whose prompt this is; judges are content.

    Raises:
        ValueError: the prompt differs from the golden one, if only by a space.
    """
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is not None:
        return verdict(schema, bad=False)
    (message,) = messages
    for stage in STAGES:
        if message == {"role": "user", "content": golden(f"prompt_{stage}")}:
            return golden(f"answer_{stage}")
    raise ValueError(f"no prompt of the example: {message['content']!r}")
