"""Responders for the recipe of tests/faults: answers by the word a prompt begins with, seeded by the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from attar.testing.responders import judge, schema, text_of, words

_JUDGE = judge(0.6)
_SHORT, _LONG = words(6), words(20)


def faults(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> Any:
    """Drafts, points, verdicts (a fail in 40 %), short and long forms."""
    kind = text_of(messages).partition(" ")[0]
    if kind == "JUDGE":
        return _JUDGE(messages, body, rng)
    if kind == "POINTS":
        return schema(messages, body, rng)
    return (_LONG if kind in ("LONG", "DRAFT") else _SHORT)(messages, body, rng)
