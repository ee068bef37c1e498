"""Where a text may be cut, by its layout: headings, paragraphs, items, rows of tables, lines of code.

A scan yields the places in order, so that a text of any length is read once and little of it is kept. Only starts of
lines are places here; sentences, words and characters are looked for where a block is too long (see cuts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

PARAGRAPH = 7
ITEM = 8
LINE = 9
"""Ranks of places, the best first: 1 to 6 before a heading of that level, then these. LINE is an item below another,
a row of a table, a line of code: what stays whole where it fits."""

_BULLET = re.compile(r"([ \t]*)(?:[-*+•]|(\d{1,9})[.)])[ \t]+(?=\S)")
_HASHES = re.compile(r" {0,3}(#{1,6})(?![^\s])")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})[^\n]*")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*\r?(?:\n|\Z)")
_TABLE = re.compile(r"[ \t]*\|")
_FRONT = re.compile(r"---[ \t]*\r?\n(?:[^\n]*\n){0,200}?(?:---|\.\.\.)[ \t]*\r?(?:\n|\Z)")
_LONGEST_HEADING = 240
_TABLE_HEAD = 3  # header, delimiter and first row stay together
_MARKS = frozenset("#`~|=-*+•0123456789")


class Place(NamedTuple):
    """The start of a block.

    Attributes:
        offset: of its first character.
        rank: how good a place this is to cut before it; 0 where it must not be (behind a heading).
        level: of the heading that begins here; 0 for other blocks.
        title: the heading's text.
        solid: lines of code or of a table, in which no sentence is looked for.
    """

    offset: int
    rank: int
    level: int = 0
    title: str = ""
    solid: bool = False


def scan(text: str) -> Iterator[Place]:
    """The blocks of a text, in order. The first one begins at its first line that is not blank."""
    find = text.find
    end = len(text)
    position = 0
    blank = True  # the line before is blank, or there is none
    kind = ""  # of the block we are in: heading, paragraph, list, table, other
    rows = 0
    closed: dict[str, int] = {}  # fence character → place behind which no fence of it closes
    front = _FRONT.match(text)
    if front is not None:
        yield Place(0, 0)
        position, kind = front.end(), "other"
    while position < end:
        start = position
        position = find("\n", start) + 1 or end
        first = text[start]
        if first in " \t\r\n\x0b\x0c":
            stripped = text[start:position].strip() if position - start < 400 else text[start : start + 400].strip()
            if not stripped and (position - start < 400 or not text[start:position].strip()):
                blank = True
                continue
            first = stripped[:1]
        if first in _MARKS:
            if first == "#":
                heading = _HASHES.match(text, start)
                if heading is not None and position - start <= _LONGEST_HEADING:
                    level = len(heading[1])
                    title = _title(text[heading.end() : position])
                    yield Place(start, 0 if kind == "heading" else level, level, title)
                    kind, blank = "heading", False
                    continue
            elif first in "`~":
                fence = _FENCE.match(text, start)
                stop = _fence_end(text, position, fence[1], closed) if fence is not None else -1
                if stop >= 0:
                    yield Place(start, 0 if kind == "heading" else PARAGRAPH, solid=True)
                    yield from _lines(text, position, stop)
                    position, kind, blank = stop, "other", True
                    continue
            elif first == "|" and _TABLE.match(text, start) is not None:
                if kind != "table" or blank:
                    yield Place(start, 0 if kind == "heading" else PARAGRAPH, solid=True)
                    rows = 1
                else:
                    rows += 1
                    if rows > _TABLE_HEAD:
                        yield Place(start, LINE, solid=True)
                kind, blank = "table", False
                continue
            item = _BULLET.match(text, start)
            if item is not None and (
                blank or kind != "paragraph" or item[2] in (None, "1")
            ):  # "in\n1998. Then" is none
                nested = len(item[1].expandtabs(4)) > 1
                rank = LINE if nested and kind == "list" else ITEM if kind == "list" else PARAGRAPH
                yield Place(start, 0 if kind == "heading" else rank)
                kind, blank = "list", False
                continue
        if blank or kind in ("heading", "table", "other"):
            under = _SETEXT.match(text, position) if position < end and text[position] in " =-" else None
            if under is not None and position - start <= _LONGEST_HEADING:
                level = 1 if under[1][0] == "=" else 2
                yield Place(start, 0 if kind == "heading" else level, level, text[start:position].strip())
                position, kind, blank = under.end(), "heading", False
                continue
            if kind == "list" and text[start] in " \t":
                yield Place(start, LINE)  # a paragraph of the item before
            else:
                yield Place(start, 0 if kind == "heading" else PARAGRAPH)
                kind = "paragraph"
            blank = False


def _title(rest: str) -> str:
    """A heading's text without the marks that may close it: `Syarat ##` is Syarat, C# stays."""
    rest = rest.strip()
    bare = rest.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else rest


def _fence_end(text: str, start: int, mark: str, closed: dict[str, int]) -> int:
    """Where the fenced block that opened before `start` ends; -1 where it never does: then it is no block at all."""
    if start >= closed.get(mark, len(text) + 1):
        return -1
    found = re.compile(rf"^ {{0,3}}{re.escape(mark)}{re.escape(mark[0])}*[ \t]*\r?$\n?", re.MULTILINE).search(
        text, start
    )
    if found is None:
        closed[mark] = start
        return -1
    return found.end()


def _lines(text: str, start: int, stop: int) -> Iterator[Place]:
    """Starts of the lines of a code block, but for its first and its closing fence."""
    position = text.find("\n", start, stop) + 1
    while 0 < position < stop:
        following = text.find("\n", position, stop) + 1
        if not 0 < following < stop:
            return
        yield Place(position, LINE, solid=True)
        position = following
