"""Diagnostics as text for a terminal, and as JSON for editors and CI."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attar.errors.diagnostic import Diagnostic, Span

WIDTH = 100
"""Cells of a source line that are shown; a longer line is cut around the place."""

_BOLD, _RED, _YELLOW, _BLUE, _GREEN, _END = "\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[32m", "\033[0m"

_SECRET = ("E218",)
"""Codes whose place holds a secret."""


def render(diagnostics: Sequence[Diagnostic], *, color: bool = False, root: Path | None = None) -> str:
    """All diagnostics, in the order of files and lines, with the source line and a caret, and a closing count.

    Args:
        color: ANSI colours.
        root: paths inside it are shown relative to it; None shows them as they are.

    Returns:
        The text, ending in a newline; "" for no diagnostics. The same fault at the same place is shown once.
    """
    if not diagnostics:
        return ""
    page = _Page(color, root)
    page.hide(found.span for found in diagnostics if found.span is not None and found.code in _SECRET)
    blocks = [page.block(diagnostic) for diagnostic in ordered(diagnostics)]
    return "\n\n".join([*blocks, page.count(ordered(diagnostics))]) + "\n"


def to_json(diagnostics: Sequence[Diagnostic], root: Path | None = None) -> list[dict[str, Any]]:
    """One plain mapping per diagnostic, in the order of files and lines; places as in `Span`."""
    return [
        {
            "code": d.code,
            "severity": d.severity,
            "message": d.message,
            "help": d.help,
            "file": _shown(d.span.file, root) if d.span else None,
            "line": d.span.line if d.span else None,
            "column": d.span.column if d.span else None,
            "end_column": (d.span.end_column or None) if d.span else None,
            "path": list(d.path),
        }
        for d in ordered(diagnostics)
    ]


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by file, line and column, those without a place first; exact repeats are left out."""

    def place(diagnostic: Diagnostic) -> tuple[Any, ...]:
        span = diagnostic.span
        where = (1, span.file, span.line, span.column) if span else (0, "", 0, 0)
        return (*where, diagnostic.severity != "error", diagnostic.code, diagnostic.message)

    seen = set()
    kept = []
    for diagnostic in sorted(diagnostics, key=place):
        key = (diagnostic.code, diagnostic.message, diagnostic.span)
        if key not in seen:
            seen.add(key)
            kept.append(diagnostic)
    return kept


def width(text: str) -> int:
    """Cells a text takes on a terminal: 2 for wide East Asian characters and emoji, 0 for marks and joiners."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if " " <= character <= "~":
        return 1
    # Spacing vowel signs (Mc) take a cell of their own; non-spacing marks and format characters (joiners) take none.
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _shown(file: str, root: Path | None) -> str:
    if root is not None:
        try:
            path = Path(file).resolve()
            if path.is_relative_to(root.resolve()):
                return os.path.relpath(path, root.resolve())
        except (OSError, ValueError):
            pass
    return file


@dataclass(slots=True)
class _Page:
    color: bool
    root: Path | None
    texts: dict[str, list[str]] = field(default_factory=dict)

    def paint(self, style: str, text: str) -> str:
        return f"{style}{text}{_END}" if self.color and text else text

    def block(self, diagnostic: Diagnostic) -> str:
        tint = _RED if diagnostic.severity == "error" else _YELLOW
        head = self.paint(tint, f"{diagnostic.severity}[{diagnostic.code}]")
        lines = [f"{head}: {self.paint(_BOLD, diagnostic.message)}"]
        span = diagnostic.span
        gutter = 1
        if span is not None:
            gutter = len(str(span.line))
            arrow = self.paint(_BLUE, "-->")
            lines.append(f"{' ' * gutter}{arrow} {_shown(span.file, self.root)}:{span.line}:{span.column}")
            lines.extend(self.snippet(span, gutter, tint))
        for i, text in enumerate(diagnostic.help.splitlines()):
            mark = self.paint(_GREEN, "help:") if i == 0 else "     "
            lines.append(f"{' ' * gutter} {mark} {text}")
        return "\n".join(lines)

    def snippet(self, span: Span, gutter: int, tint: str) -> list[str]:
        source = self.lines(span.file)
        if not 1 <= span.line <= len(source):
            return []
        line = source[span.line - 1]
        start = min(max(span.column - 1, 0), len(line))
        end = min(span.end_column - 1, len(line)) if span.end_column > span.column else start + 1
        before, marked, after = _window(line, start, max(end, start + 1))
        bar = self.paint(_BLUE, "|")
        number = self.paint(_BLUE, str(span.line))
        caret = self.paint(tint, "^" * max(width(marked), 1))
        blank = " " * gutter
        return [
            f"{blank} {bar}",
            f"{number} {bar} {before}{marked}{after}".rstrip(),
            f"{blank} {bar} {' ' * width(before)}{caret}",
        ]

    def hide(self, spans: Iterable[Span]) -> None:
        """Blots out what stands there, in every snippet of those lines: terminals and logs of CI are read by many."""
        for span in spans:
            source = self.lines(span.file)
            if 1 <= span.line <= len(source):
                line = source[span.line - 1]
                start = max(span.column - 1, 0)
                end = min(span.end_column - 1, len(line)) if span.end_column > span.column else len(line)
                source[span.line - 1] = line[:start] + "*" * (end - start) + line[end:]

    def lines(self, file: str) -> list[str]:
        """A file's lines, as editors count them; [] where it cannot be read."""
        if file not in self.texts:
            try:
                text = Path(file).read_bytes().decode("utf-8-sig", "replace")
            except OSError:
                text = ""
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self.texts[file] = lines if text else []
        return self.texts[file]

    def count(self, diagnostics: Sequence[Diagnostic]) -> str:
        errors = sum(d.severity == "error" for d in diagnostics)
        warnings = len(diagnostics) - errors
        parts = []
        if errors:
            parts.append(self.paint(_RED, f"{errors} error{'s' * (errors != 1)}"))
        if warnings:
            parts.append(self.paint(_YELLOW, f"{warnings} warning{'s' * (warnings != 1)}"))
        return " and ".join(parts)


def _window(line: str, start: int, end: int) -> tuple[str, str, str]:
    """What stands before, at and after a place, cut to `WIDTH` cells and free of characters that move the cursor."""
    before, marked, after = (_plain(part) for part in (line[:start], line[start:end], line[end:]))
    if width(before) + width(marked) + width(after) <= WIDTH:
        return before, marked, after
    marked = _head(marked, WIDTH // 2)
    room = WIDTH - width(marked)
    left = min(width(before), max(room // 2, room - width(after)))
    return _tail(before, left), marked, _head(after, room - left)


def _plain(text: str) -> str:
    """Tabs as one space, other control characters and line separators as a dot, bidirectional controls left out."""
    made = []
    for character in text:
        category = unicodedata.category(character)
        if character == "\t":
            made.append(" ")
        elif category in ("Cc", "Zl", "Zp"):
            made.append("·")
        elif "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069":
            continue
        else:
            made.append(character)
    return "".join(made)


def _head(text: str, cells: int) -> str:
    if width(text) <= cells:
        return text
    taken, used = 0, 1  # one cell for the ellipsis
    while taken < len(text) and used + _cells(text[taken]) <= cells:
        used += _cells(text[taken])
        taken += 1
    return text[:taken] + "…"


def _tail(text: str, cells: int) -> str:
    if width(text) <= cells:
        return text
    taken, used = len(text), 1
    while taken > 0 and used + _cells(text[taken - 1]) <= cells:
        used += _cells(text[taken - 1])
        taken -= 1
    # A cut must not begin with marks whose letter is gone.
    while taken < len(text) and _cells(text[taken]) == 0:
        taken += 1
    return "…" + text[taken:]
