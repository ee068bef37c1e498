"""Values that a person gives for a row's columns: read from text, and checked against the columns' types."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from attar.cli.review_desk import Waiting


class Unfit(ValueError):
    """A value that does not fit its column; the message says which and why."""


def set_columns(row: Waiting, texts: Mapping[str, str]) -> dict[str, Any]:
    """The changed columns of an edit whose values were given as text.

    Raises:
        Unfit: a column that the row does not have, or a value that does not fit it; all of them in one message.
    """
    columns: dict[str, Any] = {}
    faults: list[str] = []
    for name, text in texts.items():
        try:
            demand_column(row, name)
            columns[name] = fitting(name, read_text(text, row.columns.get(name, "any")), row.columns.get(name, "any"))
        except Unfit as fault:
            faults.append(str(fault))
    if faults:
        raise Unfit("; ".join(faults))
    return changed(row, columns)


def demand_column(row: Waiting, name: str) -> None:
    """Demands that a person may change this column of a row.

    Raises:
        Unfit: it is the id, the verdict, or no column of the row.
    """
    if name == "id":
        raise Unfit("id is the row's name and cannot be changed")
    if name == row.verdict_name:
        raise Unfit(f"{name} is the verdict of {row.step!r}: it stays as the judge gave it")
    if name not in row.row:
        from attar.registry import suggest

        raise Unfit(f"the row has no column {name!r}; {suggest(name, list(row.row), 'columns')}")


def changed(row: Waiting, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Those columns whose values differ from the row's."""
    present = row.row
    return {name: value for name, value in columns.items() if not same(present[name], value)}


def same(old: Any, new: Any) -> bool:
    """Whether two values are equal; texts are, too, where only line ends or Unicode's normal form differ."""
    if isinstance(old, str) and isinstance(new, str):
        return _plain(old) == _plain(new)
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def read_text(text: str, kind: str) -> Any:
    """The value that a text stands for in a column of a type.

    A string column takes the text as it stands; in double quotes it is a JSON string, and `null` is null where the
    column may be null. Every other column takes JSON.

    Raises:
        Unfit: the text is no JSON.
    """
    if kind.rstrip("?") == "string":
        if kind.endswith("?") and text.strip() == "null":
            return None
        if len(text) > 1 and text[0] == text[-1] == '"':
            try:
                return json.loads(text)
            except ValueError:
                return text
        return text
    try:
        return json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError):
        shown = text if len(text) <= 60 else text[:57] + "…"
        raise Unfit(f"expected {kind} as JSON, found {shown!r}") from None


def fitting(name: str, value: Any, kind: str) -> Any:
    """The value, where it fits a column's type; whole numbers become floats in a column of floats.

    Raises:
        Unfit: it does not fit.
    """
    from attar.store.arrow import to_batch

    _, bad = to_batch([{name: value}], {name: kind})
    if bad:
        raise Unfit(bad[0])
    if kind.rstrip("?") == "float" and isinstance(value, int):
        return float(value)
    return value


def no_constant(text: str) -> Any:
    """For `json.loads`: NaN and the infinities, which JSON does not know."""
    raise ValueError(f"{text} is no JSON")
