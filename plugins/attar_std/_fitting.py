"""Types that hold two others."""

from __future__ import annotations

from attar.api import parse_type

from ._types import Seen, merge


def common(a: str, b: str) -> str | None:
    """The type that holds both, or None where only json would."""
    if a == b:
        return a
    one, two = parse_type(a), parse_type(b)
    joined = merge(Seen(one._replace(nullable=False), one.nullable), Seen(two._replace(nullable=False), two.nullable))
    assert joined.kind is not None
    if joined.kind.kind == "json" and "json" not in (one.kind, two.kind):
        return None
    return joined.kind._replace(nullable=joined.null).text()
