"""What comes of one row: rows that leave the stage, rows that do not go on, and what was counted. Plain, picklable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

Columns = Mapping[str, Any]
DEAD = "dead"


class Emitted(NamedTuple):
    """A row that leaves the stage at a tap. `trail` is a JSON list of what was asked of models for it."""

    tap: str
    id: str
    parents: tuple[str, ...]
    trail: bytes | None
    columns: Columns


class OutcomeRow(NamedTuple):
    """A row that does not go on: `kind` is rejected, review or dead."""

    kind: str
    id: str
    step: str
    code: str
    detail: str
    attempt: int
    parents: tuple[str, ...]
    row: bytes
    trail: bytes | None


class RowResult(NamedTuple):
    """Everything that came of one row of the stage's input."""

    emitted: list[Emitted]
    outcomes: list[OutcomeRow]
    counts: list[tuple[str, str, int]]
    reasons: list[tuple[str, str, str, str, str]]
    """step, kind (rejected, review, dead, retried), code, row id, detail"""


def shown(text: Any) -> str:
    """What a step said of a row, as text that can be stored: None is nothing, broken characters are spelt out."""
    return "" if text is None else str(text).encode("utf-8", "backslashreplace").decode()


def json_of(columns: Columns) -> bytes:
    try:
        return orjson.dumps(columns, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # broken surrogates and the like: keep what can be shown
        return orjson.dumps({str(k): repr(v) for k, v in columns.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return repr(value)
