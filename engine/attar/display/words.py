"""Numbers and tables as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from attar.errors.render import width


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`; `–` where it is unknown."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def counted(number: int, noun: str) -> str:
    """`1 stage`, `2 stages`."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def money(cost: float | None, currency: str | None) -> str:
    """`0.0123 USD`; `–` where no price is known."""
    if not currency or cost is None:
        return "–"
    return f"{cost:.4f} {currency}" if cost < 1 else f"{cost:,.2f} {currency}"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters on one line, with `…` where something was cut; never inside a grapheme or akshara."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    import regex

    cut = 0
    for cluster in regex.finditer(r"\X", line):
        if cluster.end() > limit - 1:
            break
        cut = cluster.end()
    return line[:cut] + "…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, indent: str = "  ") -> str:
    """An aligned plain-text table; the first `left` columns are left-aligned, the others right-aligned."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(width(line[i]) for line in lines) for i in range(len(head))]

    def pad(text: str, i: int) -> str:
        space = " " * (widths[i] - width(text))
        return text + space if i < left else space + text

    return "\n".join((indent + "  ".join(pad(text, i) for i, text in enumerate(line))).rstrip() for line in lines)
